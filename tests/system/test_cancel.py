"""`DELETE /jobs/{id}`, whatever the job is doing."""

import sys
from collections.abc import Iterator

import httpx2
import pytest

from app.amqp.topology import DEAD_LETTER_QUEUE, TRAIN_QUEUE
from devstack.demo import ROW, TRAIN
from tests.support.wire import Wire
from tests.system.conftest import Running
from tests.system.support import gated
from tests.system.support.amqp import RpcClient
from tests.system.support.client import ENDLESS, is_problem, job, reached, train, trained, upload
from tests.system.support.gated import HELD, KEPT
from tests.system.support.processes import Process, Stack, until

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="finds processes in /proc")

COMMAND = gated.ALONE
SETTINGS = {"TRAIN_WAIT": "0.2"}


@pytest.fixture(scope="module")
def http(running: Running) -> httpx2.Client:
    for dataset_id in ("diabetes", HELD, KEPT):
        upload(running.http, dataset_id)
    return running.http


@pytest.fixture
def quiet(running: Running, http: httpx2.Client) -> Iterator[set[int]]:
    """The processes of a consumer that has no job; it has none afterwards either, but works."""
    yield running.consumer.family()
    assert trained(http)
    assert running.stack.waiting(TRAIN_QUEUE) == 0
    assert running.stack.waiting(DEAD_LETTER_QUEUE) == 0
    assert "Traceback" not in running.stack.output()


def cancel(http: httpx2.Client, job_id: str) -> None:
    """Cancel a job, twice: the second time it is what it is."""
    for _ in range(2):
        answer = http.delete(f"/jobs/{job_id}")
        assert answer.status_code == 200, answer.text
        told = answer.json()
        assert (told["id"], told["state"]) == (job_id, "TASK_CANCELLED")
        assert told["ended_at"]
        assert told == job(http, job_id)


def held(running: Running, http: httpx2.Client, dataset_id: str = HELD) -> str:
    """Have a job that waits in the middle; return its id."""
    job_id = train(http, dataset_id=dataset_id)
    running.consumer.says(f"holding {job_id}")
    return job_id


def test_a_job_that_is_cancelled_in_the_queue_is_never_run(
    running: Running, http: httpx2.Client, quiet: set[int]
) -> None:
    before = held(running, http)
    queued = train(http)
    assert job(http, queued)["queue_position"] == 1
    cancel(http, queued)
    assert job(http, queued)["queue_position"] is None

    running.stack.let_go(before)
    running.consumer.says(f"[{queued}] duplicate dropped: TASK_CANCELLED")
    assert job(http, queued)["attempt"] == 0
    assert "attempt 1" not in of(running.consumer, queued)


def of(process: Process, job_id: str) -> str:
    """Return what a process has said of a job."""
    return "\n".join(line for line in process.output().splitlines() if f"[{job_id}]" in line)


def test_the_latest_job_is_not_cancelled_by_that_name(http: httpx2.Client) -> None:
    assert is_problem(http.delete("/jobs/latest"), 422)["field"] == "job_id"


@pytest.mark.parametrize("changes", [{"dataset_id": HELD}, ENDLESS], ids=["held", "busy"])
def test_a_fit_that_is_cancelled_ends_with_its_process(
    running: Running, http: httpx2.Client, quiet: set[int], changes: dict[str, object]
) -> None:
    job_id = train(http, **changes)
    (child,) = until(lambda: running.consumer.family() - quiet, "the fit has a process")
    reached(http, job_id, "TASK_RUNNING")
    cancel(http, job_id)
    until(lambda: child not in running.consumer.family(), "the process has ended")
    running.consumer.says(f"[{job_id}] attempt 1: TASK_CANCELLED")
    ended = job(http, job_id)
    assert (ended["state"], ended["attempt"]) == ("TASK_CANCELLED", 1)
    assert ended["error"] is None
    assert running.stack.stored(job_id) == set()
    problem = is_problem(http.post("/predict", json={"model_id": job_id, "input_data": ROW}), 409)
    assert problem["state"] == "TASK_CANCELLED"


def test_a_model_that_is_stored_when_its_job_is_cancelled_does_not_stay(
    running: Running, http: httpx2.Client, quiet: set[int]
) -> None:
    job_id = held(running, http, KEPT)
    assert running.stack.stored(job_id) == {1}
    cancel(http, job_id)
    running.stack.let_go(job_id)
    running.consumer.says(f"[{job_id}] attempt 1: TASK_CANCELLED")
    assert job(http, job_id)["state"] == "TASK_CANCELLED"
    until(lambda: running.stack.stored(job_id) == set(), "its files are swept")


def test_a_client_of_the_queue_is_told_that_its_job_was_cancelled(
    running: Running, http: httpx2.Client, quiet: set[int]
) -> None:
    with running.stack.amqp() as first, running.stack.amqp() as second:
        one, other = RpcClient(first), RpcClient(second)
        one.ask(TRAIN_QUEUE, {**TRAIN, "dataset_id": HELD, "model_id": "one"})
        one.replies(1)
        running.consumer.says("holding one")
        # Whoever asks by the queue has no row before its turn, but a client of HTTP may ask again.
        other.ask(TRAIN_QUEUE, {**TRAIN, "model_id": (queued := train(http))})
        cancel(http, queued)
        cancel(http, "one")
        received, ended = one.replies(2)
        assert received == {"status": "TASK_RECEIVED", "model_id": "one"}
        assert ended == {"status": "TASK_CANCELLED", "model_id": "one"}
        assert other.replies(1) == [{"status": "TASK_CANCELLED", "model_id": queued}]


def test_a_job_that_has_ended_cannot_be_cancelled(http: httpx2.Client, quiet: set[int]) -> None:
    completed = trained(http)
    failed = train(http, features=["size"])
    reached(http, failed, "TASK_ERROR")
    for job_id, state in ((completed, "TASK_COMPLETED"), (failed, "TASK_ERROR")):
        problem = is_problem(http.delete(f"/jobs/{job_id}"), 409)
        assert problem["state"] == state
        assert problem["type"] == "ended"
        assert job(http, job_id)["state"] == state
    assert http.get(f"/models/{completed}").status_code == 200


def test_there_is_no_job_to_cancel(http: httpx2.Client) -> None:
    assert is_problem(http.delete("/jobs/nobody"), 404)["field"] == "job_id"


def test_a_download_that_is_cancelled_ends(stack: Stack) -> None:
    """The data come so slowly that they would take longer than a test."""
    address, _, s3_port = stack.environment["AWS_ENDPOINT_URL"].rpartition(":")
    with Wire(int(s3_port), seconds_per_piece=0.2) as slow:
        consumer = stack.start(gated.ALONE, AWS_ENDPOINT_URL=f"{address}:{slow.port}")
        _, http = stack.producer()
        upload(http, "large", "a,b\n" + "1,2\n" * 10_000_000)
        job_id = train(http, dataset_id="large", features=["a"], target="b")  # is TASK_RECEIVED
        cancel(http, job_id)
        consumer.says(f"[{job_id}] attempt 1: TASK_CANCELLED")
    assert "attempt 1" in of(consumer, job_id)
    assert stack.stored(job_id) == set()
