"""Forests of millions of nodes: the memory of the export, what a load keeps, a whole training."""

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from app.protocol.training_request import TrainingSpec, TrainRequest
from app.settings import Settings
from app.training.fit_process import FitLimits, FitRunner
from benchmarks.harness.forest import COLUMNS, ROWS, data
from benchmarks.harness.servers import Bench
from benchmarks.reporting import report
from benchmarks.reporting.figures import row, shown
from benchmarks.reporting.results import Row
from benchmarks.scenarios.memory import family, field
from devstack.layout import ROOT
from devstack.program import ProgramError

NAME = "forests"

NODES = (500_000, 2_000_000, 5_000_000)
KEPT = {"regressor": 80, "classifier": 100}  # bytes a node, at most
FOREST = "random_forest_regressor"


def run(bench: Bench) -> list[dict[str, Any]]:
    """Measure forests of each size and kind, then a training of the default forest."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        warm = folder / "warm.onnx"
        forest("fit", "regressor", "1", warm)
        rows = [
            measured(kind, nodes, folder / "model.onnx", warm, bench.rounds)
            for kind in KEPT
            for nodes in NODES
        ]
        return [*rows, *training(folder)]


def measured(kind: str, nodes: int, path: Path, warm: Path, rounds: int) -> dict[str, Any]:
    """Fit and export a forest once; load it in `rounds` processes, and take the medians."""
    fit = forest("fit", kind, str(nodes), path)
    loads = [forest("load", path, warm) for _ in range(rounds)]
    kept, peak, seconds = (
        median(1e6 * each[key] / fit["nodes"] for each in loads) for key in ("kept", "peak", "s")
    )
    return shown(
        {
            "forest": kind,
            "nodes": f"{fit['nodes']:,.0f}",
            "file, MB": round(path.stat().st_size / 1e6),
            "fit, peak MB": round(fit["fit"]),
            "export, peak MB": round(fit["export"]),
            "ratio, at most 1.5": round(fit["export"] / fit["fit"], 2),
            "export, s": round(fit["s"], 1),
            "kept after the load, bytes a node": round(kept),
            "at most": KEPT[kind],
            "peak of the load, bytes a node": round(peak),
            "load, µs a node, at most 1.5": round(seconds, 2),
        }
    )


def forest(*arguments: str | Path) -> dict[str, float]:
    """Run `benchmarks.harness.forest`; return what it measured."""
    command = [sys.executable, "-m", "benchmarks.harness.forest", *map(str, arguments)]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if ended.returncode:
        raise ProgramError(f"the forest could not be measured:\n{ended.stderr}")
    found: dict[str, float] = json.loads(ended.stdout)
    return found


def training(folder: Path) -> list[dict[str, Any]]:
    """Train the default forest as a consumer does, within the default limits."""
    x, y = data()
    names = [f"c{number}" for number in range(COLUMNS)]
    body = {"dataset_id": "d", "features": names, "target": "t", "estimator": FOREST}
    limits = FitLimits(
        Settings.model_fields["fit_seconds"].default, Settings.model_fields["fit_memory"].default
    )
    runner = FitRunner()
    runner.warm()
    most = 0.0

    def fetch(to: Path) -> None:
        np.savetxt(
            to, np.column_stack([x, y]), "%.17g", ",", header=",".join([*names, "t"]), comments=""
        )

    def watch(_: float | None) -> None:
        nonlocal most
        _, *below = family(os.getpid())  # the largest of them is the fit
        most = max(most, *(field(Path(f"/proc/{pid}/status"), "RssAnon") for pid in below))

    begun = time.perf_counter()
    request = TrainRequest.of(TrainingSpec.model_validate(body), "m")
    manifest, path = runner.fit(request, "m", folder, limits, fetch, lambda: None, watch)
    seconds = time.perf_counter() - begun
    what = f"the default forest on {ROWS:,} rows of {COLUMNS} columns, from CSV to file"
    return [
        row(f"{what}, s", f"{seconds:.0f}", f"at most {limits.seconds:,.0f}"),
        row(f"{what}: memory of its process, MB", f"{most:,.0f}", f"{limits.memory / 1e6:,.0f}"),
        row("its file, MB", f"{path.stat().st_size / 1e6:.0f}"),
        row("its parity with scikit-learn", f"{manifest.parity:.1e}", "at most 1e-6"),
        row("its runtime", manifest.runtime, "onnx"),
    ]


def render(rows: list[Row]) -> str:
    """Render the forests as one table, and the training as another."""
    forests = [each for each in rows if "forest" in each]
    return "\n\n".join(map(report.table, (forests, rows[len(forests) :])))
