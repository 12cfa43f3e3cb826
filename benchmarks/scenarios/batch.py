"""Batch jobs of a million rows: their time and memory, and a single `/predict` beside them."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.harness import hey
from benchmarks.harness.jobs import accepted, api_of, seconds_of
from benchmarks.harness.servers import Bench, Stack
from benchmarks.reporting.figures import middle, shown
from benchmarks.scenarios.memory import family, proportional
from devstack.demo import TRAIN
from warren_client import Warren
from warren_client.records import ENDED

NAME = "batch"

ROWS = 1_000_000
COLUMNS = ("age", "sex", "bmi", "bp", "s1", "s2", "s3", "s4", "s5", "s6")
DATASET_ID = "million"
FORESTS: dict[str, dict[str, Any]] = {
    "README's, max_depth 3": {},
    "default": {"estimator": "random_forest_regressor"},
}
CONSUMERS = (1, 2)  # each with one thread that scores
JOB_SECONDS = 1800.0
POLL_SECONDS = 0.2


@dataclass
class Watched:
    """The most memory of a consumer and its children in MB, while it was watched."""

    peak: float = 0.0


def run(bench: Bench) -> list[dict[str, Any]]:
    """Score the rows with each forest by some consumers, alone and beside single predictions."""
    csv = rows()
    found = []
    for forest, asked in FORESTS.items():
        for consumers in CONSUMERS:
            with bench.stack(consumers=consumers, threads=1) as stack:
                found.append(measured(bench, stack, forest, asked, csv))
    return found


def measured(
    bench: Bench, stack: Stack, forest: str, asked: dict[str, Any], csv: str
) -> dict[str, Any]:
    """Score the rows with one forest."""
    api = api_of(stack)
    if DATASET_ID not in {each.id for each in api.datasets}:
        api.datasets.upload(csv.encode(), DATASET_ID)
    model_id = accepted(api, {**TRAIN, **asked})
    ended(api, model_id)
    url = f"{stack.url}/predict"
    hey.warm(url, stack.body, 1)
    before = [hey.load(url, stack.body, 1, bench.seconds) for _ in range(bench.rounds)]
    with watched(stack.consumer_pids[0]) as memory:
        alone = [scored(api, model_id) for _ in range(bench.rounds)]
    beside: list[hey.Load] = []
    with batches(api, model_id) as running:
        while running():
            beside.append(hey.load(url, stack.body, 1, bench.seconds))
    seconds, p99 = middle(alone, 1) or 0.0, middle([each.p99 for each in before], 2) or 0.0
    with_batch = middle([each.p99 for each in beside], 2) or 0.0
    return shown(
        {
            "forest": forest,
            "consumers": len(stack.consumer_pids),
            "s": seconds,
            "rows/s": round(ROWS / seconds),
            "peak of a consumer and its children, MB": round(memory.peak),
            "/predict alone, p99 ms": p99,
            "beside it, p99 ms": with_batch,
            "ratio, at most 2": round(with_batch / p99, 2),
            "errors": sum(each.errors for each in beside),
        }
    )


def rows() -> str:
    """Return numbers like those of the diabetes data as a CSV."""
    values = np.random.default_rng(0).normal(0, 0.05, (ROWS, len(COLUMNS))).round(6)
    return str(pd.DataFrame(values, columns=list(COLUMNS)).to_csv(index=False))


def scored(api: Warren, model_id: str) -> float:
    """Score the rows; return the seconds from the acceptance to the end."""
    body = {"model_id": model_id, "dataset_id": DATASET_ID}
    job = ended(api, api.request("POST", "/predict/batch", body)["message"]["job_id"])
    if job.get("kind") == "batch" and job["result"]["scored"] != ROWS:
        raise RuntimeError(f"a batch job left out rows: {job['result']}")
    return seconds_of(job["ended_at"]) - seconds_of(job["created_at"])


def ended(api: Warren, job_id: str) -> dict[str, Any]:
    """Wait for the end of a job; return it."""
    deadline = time.monotonic() + JOB_SECONDS
    while (job := api.request("GET", f"/jobs/{job_id}"))["state"] not in ENDED:
        if time.monotonic() > deadline:
            raise RuntimeError(f"job {job_id} takes too long")
        time.sleep(POLL_SECONDS)
    if job["state"] != "TASK_COMPLETED":
        raise RuntimeError(f"a job ended as {job['state']}: {job['error']}")
    return dict(job)


@contextmanager
def batches(api: Warren, model_id: str) -> Iterator[Any]:
    """Score the rows once during the block; give a function that tells whether that goes on."""
    thread = threading.Thread(target=scored, args=(api, model_id))
    thread.start()
    yield thread.is_alive
    thread.join()


@contextmanager
def watched(pid: int) -> Iterator[Watched]:
    """Watch the memory of a process and its children during the block."""
    found, stopping = Watched(), threading.Event()

    def watch() -> None:
        while not stopping.wait(POLL_SECONDS):
            try:
                now = sum(proportional(each) for each in family(pid))
            except (OSError, ValueError):
                continue  # one of them has just ended
            found.peak = max(found.peak, now)

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield found
    finally:
        stopping.set()
        thread.join()
