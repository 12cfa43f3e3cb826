"""Predictions beside a fit that runs without a pause, and what the pipeline adds to a fit."""

import time
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

from app.protocol.training_request import TrainRequest
from app.training import pipeline
from app.training.training_data import read_training_data
from benchmarks.harness import hey, jobs
from benchmarks.harness.servers import Bench, Stack, diabetes
from benchmarks.reporting.figures import row
from devstack.demo import TRAIN

NAME = "training"

IN_FLIGHT = 64
LONG = {"n_estimators": 4000, "max_depth": 3}  # some seconds on one core
TRAININGS = 10


def run(bench: Bench) -> list[dict[str, Any]]:
    """Measure both, on one stack."""
    with bench.stack() as stack:
        return [*beside(bench, stack), overhead(stack)]


def beside(bench: Bench, stack: Stack) -> list[dict[str, Any]]:
    """Measure the rate without and with a fit, in turn; a ratio holds within its round."""
    api, url = jobs.api_of(stack), f"{stack.url}/predict"
    hey.warm(url, stack.body, IN_FLIGHT)
    without, during, shares, fits = [], [], [], 0
    for _ in range(bench.rounds):
        without.append(hey.load(url, stack.body, IN_FLIGHT, bench.seconds))
        with jobs.fitting(api, **LONG) as running:
            hey.warm(url, stack.body, IN_FLIGHT)
            begun = time.time()
            during.append(hey.load(url, stack.body, IN_FLIGHT, bench.seconds))
            ended = time.time()
        shares.append(running.share(begun, ended))
        fits += len(running.times)
    ratio = median(b.rate / a.rate for a, b in zip(without, during, strict=True))
    alone, along = median(each.rate for each in without), median(each.rate for each in during)
    failed = sum(each.errors for each in during)
    return [
        row("predictions/s at 64 in flight, no training", f"{alone:.0f}"),
        row(f"the same beside a fit (running {100 * median(shares):.0f} % of the time)",
            f"{along:.0f}"),
        row("ratio, of the same round", f"{ratio:.2f}", "at least 0.60"),
        row("p99 beside a fit, ms", f"{median(each.p99 for each in during):.0f}"),
        row("answers other than 200 beside a fit", f"{failed}", "0"),
    ]  # fmt: skip


def overhead(stack: Stack) -> dict[str, Any]:
    """Compare trainings through the API with the same fit in this process, in turn."""
    api, request = jobs.api_of(stack), TrainRequest.model_validate(TRAIN)
    through, alone = [], []
    with TemporaryDirectory() as name:
        folder = Path(name)
        csv = folder / "data.csv"
        csv.write_text(diabetes())
        data = read_training_data(str(csv), request)
        pipeline.fit_pipeline(data, request, "warm", folder)
        jobs.train(api)
        for _ in range(TRAININGS):
            begun = time.perf_counter()
            pipeline.fit_pipeline(data, request, "alone", folder)
            alone.append(time.perf_counter() - begun)
            asked = time.time()
            through.append(jobs.seconds_of(jobs.train(api)["ended_at"]) - asked)
    added = 1000 * (median(through) - median(alone))
    what = (
        f"added to a fit, ms: from sending POST /train to the job's ended_at "
        f"({1000 * median(through):.0f}), less the fit with its measuring and export to ONNX in "
        f"a warm process ({1000 * median(alone):.0f}); medians of {TRAININGS}"
    )
    return row(what, f"{added:.0f}", "at most 150")
