"""What a fit may take, and what becomes of one that takes more, or whose process dies."""

import os
import signal
import sys
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest

from app.amqp.topology import DEAD_LETTER_QUEUE, TRAIN_QUEUE
from app.jobs.requeue import MAX_LOSSES
from devstack.demo import TRAIN
from tests.system.conftest import Running
from tests.system.support import gated
from tests.system.support.amqp import RpcClient
from tests.system.support.client import is_problem, job, reached, train, trained, upload
from tests.system.support.gated import GREEDY, HELD
from tests.system.support.processes import until

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="finds processes in /proc")

COMMAND = gated.COMMAND
FIT_SECONDS = 12.0
FIT_MEMORY = 200_000_000
SETTINGS = {"FIT_SECONDS": str(FIT_SECONDS), "FIT_MEMORY": str(FIT_MEMORY), "TRAIN_WAIT": "0.2"}

LEAST = 50_000_000


@pytest.fixture(scope="module")
def http(running: Running) -> httpx2.Client:
    for dataset_id in ("diabetes", HELD, GREEDY):
        upload(running.http, dataset_id)
    return running.http


@pytest.fixture
def idle(running: Running, http: httpx2.Client) -> Iterator[set[int]]:
    """The processes of a consumer that fits nothing; afterwards it is the same, and works."""
    before = running.consumer.family()
    yield before
    assert job(http, trained(http))["attempt"] == 1
    until(lambda: running.consumer.family() == before, "its children have ended")
    until(lambda: running.stack.waiting(TRAIN_QUEUE) == 0, "all messages are settled")
    assert running.stack.waiting(DEAD_LETTER_QUEUE) == 0
    assert "Traceback" not in running.stack.output()


def failed(http: httpx2.Client, job_id: str) -> dict[str, Any]:
    """Wait for the error of a job that was not tried again; return it."""
    ended = reached(http, job_id, "TASK_ERROR")
    assert (ended["attempt"], ended["failures"]) == (1, 0)
    return dict(ended["error"])


def test_a_fit_has_as_much_time_as_it_is_given_and_never_more_than_the_settings_say(
    http: httpx2.Client, idle: set[int]
) -> None:
    short = train(http, dataset_id=HELD, max_seconds=0.5)
    more = train(http, dataset_id=HELD, max_seconds=1000.0)
    error = failed(http, short)
    assert error["type"] == "out_of_time"
    assert "longer than 0.5 s" in error["detail"]
    error = failed(http, more)
    assert error["type"] == "out_of_time"
    assert f"longer than {FIT_SECONDS:g} s" in error["detail"]


def test_a_fit_has_as_much_memory_as_it_is_given_and_never_more_than_the_settings_say(
    http: httpx2.Client, idle: set[int]
) -> None:
    for asked, said in ((LEAST, "50 MB"), (10**12, "200 MB"), (None, "200 MB")):
        error = failed(http, train(http, dataset_id=GREEDY, max_memory=asked))
        assert error["type"] == "out_of_memory"
        assert f"more than {said}" in error["detail"]


def test_a_forest_without_an_end_is_refused(http: httpx2.Client, idle: set[int]) -> None:
    answer = http.post("/train", json={**TRAIN, "params": {"n_estimators": 10**30}})
    if answer.status_code == 202:  # the refusal came after TRAIN_WAIT
        error = failed(http, answer.json()["message"]["model_id"])
    else:
        error = is_problem(answer, 422)
    assert error["field"] == "params.n_estimators"


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        ({"dataset_id": HELD, "max_seconds": 0.5}, "out_of_time"),
        ({"dataset_id": GREEDY}, "out_of_memory"),
    ],
    ids=["time", "memory"],
)
def test_a_client_of_the_queue_is_told_of_its_limits_at_once(
    running: Running, http: httpx2.Client, idle: set[int], changes: dict[str, Any], kind: str
) -> None:
    with running.stack.amqp() as connection:
        received, ended = RpcClient(connection).call(TRAIN_QUEUE, {**TRAIN, **changes}, count=2)
    assert (received["status"], ended["status"]) == ("TASK_RECEIVED", "TASK_ERROR")
    assert ended["error"]["type"] == kind
    assert failed(http, received["model_id"]) == ended["error"]


def test_limits_that_are_not_reached_change_nothing(http: httpx2.Client, idle: set[int]) -> None:
    job_id = trained(http, max_seconds=FIT_SECONDS, max_memory=FIT_MEMORY)
    assert job(http, job_id)["metrics"] == job(http, trained(http))["metrics"]


def kill_child(running: Running, idle: set[int], killed: set[int]) -> None:
    """End the process that fits, as a lack of memory does."""
    (child,) = until(lambda: running.consumer.family() - idle - killed, "the fit has a process")
    os.kill(child, signal.SIGKILL)
    killed.add(child)


def test_a_fit_whose_process_is_killed_is_tried_again(
    running: Running, http: httpx2.Client, idle: set[int], quick_ladder: None
) -> None:
    job_id = train(http, dataset_id=HELD)
    running.consumer.says(f"holding {job_id}")
    kill_child(running, idle, set())
    running.consumer.says(f"holding {job_id}", times=2)
    again = job(http, job_id)
    assert (again["state"], again["attempt"], again["failures"]) == ("TASK_RUNNING", 2, 0)
    assert again["error"]["type"] == "child_lost"
    assert "SIGKILL" in again["error"]["detail"]

    running.stack.let_go(job_id)
    ended = reached(http, job_id, "TASK_COMPLETED")
    assert (ended["attempt"], ended["failures"], ended["error"]) == (2, 0, None)
    assert running.stack.stored(job_id) == {2}


def test_a_fit_whose_process_is_killed_each_time_fails(
    running: Running, http: httpx2.Client, idle: set[int], quick_ladder: None
) -> None:
    killed: set[int] = set()
    with running.stack.amqp() as connection:
        client = RpcClient(connection, "queue.of.mine")
        client.ask(TRAIN_QUEUE, {**TRAIN, "dataset_id": HELD, "model_id": "doomed"})
        for attempt in range(1, MAX_LOSSES + 1):
            running.consumer.says("holding doomed", times=attempt)
            kill_child(running, idle, killed)
        *received, ended = client.replies(MAX_LOSSES + 1)
    assert {each["status"] for each in received} == {"TASK_RECEIVED"}
    assert (ended["status"], ended["error"]["type"]) == ("TASK_ERROR", "child_lost")
    doomed = job(http, "doomed")
    assert (doomed["state"], doomed["attempt"]) == ("TASK_ERROR", MAX_LOSSES)
    assert doomed["error"] == ended["error"]
    assert doomed["run_after"] is None
