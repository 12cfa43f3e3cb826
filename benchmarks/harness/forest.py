"""Fit and export a forest, or load one: `python -m benchmarks.harness.forest fit|load ...`.

Each runs in a process of its own, which prints what it measured as JSON.
"""

import json
import sys
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.pipeline import Pipeline

from app.inference.held_memory import give_back_memory
from app.inference.onnx_session import load_session
from app.training.model_memory import node_count
from app.training.onnx_export import to_onnx
from app.training.onnx_file import write_onnx

ROWS, COLUMNS, CLASSES = 43_000, 10, 3


def data(classes: int = 0) -> tuple[npt.NDArray[np.float64], npt.NDArray[Any]]:
    """Make rows, and a target: numbers, or classes that cannot be learnt, so that trees grow."""
    random = np.random.default_rng(7)
    x = random.normal(size=(ROWS, COLUMNS))
    if classes:
        return x, random.integers(0, classes, size=ROWS)
    return x, x[:, 0] + x[:, 1] ** 2 + random.normal(size=ROWS)


def fit(kind: str, nodes: int, path: Path) -> dict[str, float]:
    """Fit a default forest with at least that many nodes, write it to `path`; return MB and s."""
    classes = CLASSES if kind == "classifier" else 0
    forest = (RandomForestClassifier if classes else RandomForestRegressor)(1, random_state=42)
    x, y = data(classes)
    trees = -(-nodes // node_count(forest.fit(x, y)))
    forest.set_params(n_estimators=trees)
    give_back_memory()
    base = resident()
    reset_peak()
    forest.fit(x, y)
    fitted = peak() - base
    give_back_memory()
    reset_peak()
    begun = perf_counter()
    write_onnx(path, to_onnx(Pipeline([("estimator", forest)]), COLUMNS, 0))
    seconds = perf_counter() - begun
    return {"nodes": node_count(forest), "fit": fitted, "export": peak() - base, "s": seconds}


def load(path: Path, warm: Path) -> dict[str, float]:
    """Load a file; return the MB kept and at the peak, and the seconds of the load.

    `warm` is a small file, whose load allocates what all models share.
    """
    small = load_session(warm, arena=False)
    give_back_memory()
    base = resident()
    reset_peak()
    begun = perf_counter()
    large = load_session(path, arena=False)
    seconds = perf_counter() - begun
    measured = {"kept": resident() - base, "peak": peak() - base, "s": seconds}
    del small, large
    return measured


def resident() -> float:
    """Return the memory of this process, MB."""
    return _status("VmRSS")


def peak() -> float:
    """Return the most since `reset_peak`, MB."""
    return _status("VmHWM")


def reset_peak() -> None:
    """Let the peak be what is resident now; see proc(5) about clear_refs."""
    Path("/proc/self/clear_refs").write_text("5")


def _status(name: str) -> float:
    lines = Path("/proc/self/status").read_text().splitlines()
    (line,) = [line for line in lines if line.startswith(f"{name}:")]
    return int(line.split()[1]) * 1024 / 1e6


def main() -> None:
    """Do what the command line says."""
    match sys.argv[1:]:
        case "fit", kind, nodes, path:
            print(json.dumps(fit(kind, int(nodes), Path(path))))
        case "load", path, warm:
            print(json.dumps(load(Path(path), Path(warm))))


if __name__ == "__main__":
    main()
