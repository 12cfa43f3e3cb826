"""Trainings through the API, as the sections need them."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from benchmarks.harness.servers import Stack
from devstack.demo import TRAIN
from devstack.layout import api_address
from warren_client import Warren
from warren_client.records import ENDED

POLL_SECONDS = 0.05
JOB_SECONDS = 120


def api_of(stack: Stack) -> Warren:
    """Return a client of a stack."""
    return Warren(api_address(stack.settings))


def accepted(api: Warren, body: dict[str, Any]) -> str:
    """Ask for a training; return the id of its job and of its model."""
    return str(api.request("POST", "/train", body)["message"]["model_id"])


def train(api: Warren, **params: Any) -> dict[str, Any]:
    """Train a forest on the diabetes data and return the job once it is completed."""
    model_id = accepted(api, {**TRAIN, "params": params})
    deadline = time.monotonic() + JOB_SECONDS
    while True:
        job: dict[str, Any] = api.request("GET", f"/jobs/{model_id}")
        if job["state"] == "TASK_COMPLETED":
            return job
        if job["state"] in ENDED or time.monotonic() > deadline:
            raise RuntimeError(f"a training ended as {job['state']}: {job['error']}")
        time.sleep(POLL_SECONDS)


def seconds_of(moment: str) -> float:
    """Return a job's moment, UTC as ISO text, in seconds since 1970."""
    return datetime.fromisoformat(moment).timestamp()


@dataclass
class Fits:
    """The fits that ran one after the other: when each began and ended, in s since 1970."""

    times: list[tuple[float, float]] = field(default_factory=list)
    error: Exception | None = None

    def share(self, begun: float, ended: float) -> float:
        """Return the part of a span in which a fit ran; call it when all have ended."""
        ran = sum(max(0.0, min(b, ended) - max(a, begun)) for a, b in self.times)
        return ran / (ended - begun)


@contextmanager
def fitting(api: Warren, **params: Any) -> Iterator[Fits]:
    """Keep one fit running without a pause inside the block; what failed is raised at its end."""
    fits, stopping = Fits(), threading.Event()

    def work() -> None:
        try:
            while not stopping.is_set():
                job = train(api, **params)
                fits.times.append((seconds_of(job["started_at"]), seconds_of(job["ended_at"])))
        except Exception as error:  # noqa: BLE001  it is raised where the block ends
            fits.error = error

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield fits
    finally:
        stopping.set()
        thread.join()
    if fits.error:
        raise fits.error
