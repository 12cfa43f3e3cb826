"""How long a wait for a job is, whatever the server does."""

import socket
from collections.abc import Iterator
from time import monotonic
from typing import Any

import pytest

from warren_client import Job, WaitTimeout, Warren, errors
from warren_client.calls import Call
from warren_client.records import JobRecord

RUNNING = {"id": "j", "kind": "train", "state": "TASK_RUNNING"}
COMPLETED = {**RUNNING, "state": "TASK_COMPLETED"}
FAR = 60.0


@pytest.fixture
def silent() -> Iterator[str]:
    """The address of a server that takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield "http://{}:{}".format(*server.getsockname())


@pytest.mark.parametrize("timeout", [0, 0.2])
def test_a_wait_ends_in_time_though_nobody_answers(silent: str, timeout: float) -> None:
    with Warren(silent, timeout=10 * FAR) as warren:
        job = Job(warren, JobRecord(**RUNNING))
        began = monotonic()
        with pytest.raises(WaitTimeout, match="was still TASK_RUNNING"):
            job.wait(timeout=timeout, progress=False)
    assert monotonic() - began < FAR


def test_a_job_is_found_in_time_or_not_at_all(silent: str) -> None:
    with Warren(silent, timeout=10 * FAR) as warren:
        began = monotonic()
        with pytest.raises(errors.Unreachable):
            warren.jobs.find("j", within=0.2)
    assert monotonic() - began < FAR


def test_a_call_with_an_end_is_not_tried_again_behind_it(scripted: Any) -> None:
    for refuse in (scripted.script.drop, lambda: scripted.script.problem(503, "unavailable")):
        refuse()
        with pytest.raises(errors.WarrenError):
            scripted.warren.transport.json(Call("GET", "/", within=0.1))
    assert scripted.pauses == []
    assert len(scripted.script.asked) == 2


def test_a_wait_with_time_left_goes_on_behind_a_break(scripted: Any) -> None:
    scripted.script.answer(200, RUNNING)
    scripted.script.drop()
    scripted.script.answer(200, COMPLETED)
    job = scripted.warren.jobs["j"]
    assert job.wait(timeout=10 * FAR, progress=False).state == "TASK_COMPLETED"


def test_a_wait_without_time_left_looks_once(scripted: Any) -> None:
    scripted.script.answer(200, RUNNING)
    job = scripted.warren.jobs["j"]
    scripted.script.answer(200, COMPLETED)
    assert job.wait(timeout=0, progress=False).ended
