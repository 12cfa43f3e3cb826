"""Jobs that predict, while the broker is away or loses what it has."""

from collections.abc import Iterator
from contextlib import suppress

import httpx2
import pytest
from pika.exceptions import AMQPError

from app.amqp.topology import DEAD_LETTER_QUEUE, PREDICT_ASYNC_QUEUE
from devstack.authority import Authority
from devstack.demo import ROW
from devstack.rabbitmq import Broker
from tests.system.support.client import PREDICTION, is_problem, job, reached, trained, upload
from tests.system.support.processes import CONSUMER, Process, Stack, until

JOBS = 5


@pytest.fixture(scope="module")
def broker(
    tmp_path_factory: pytest.TempPathFactory, encrypting: Authority | None
) -> Iterator[Broker]:
    """A node of the module's own: what is done to it is done to all its vhosts."""
    with Broker.on_free_ports(tmp_path_factory.mktemp("rabbitmq"), encrypting) as node:
        yield node


@pytest.fixture(scope="module")
def http(world: Stack) -> httpx2.Client:
    _, http = world.producer(TRAIN_WAIT="0.5", PREDICT_TIMEOUT="1")
    upload(http)
    return http


@pytest.fixture(scope="module")
def model(world: Stack, http: httpx2.Client) -> str:
    """A model; the consumer that trained it has gone."""
    consumer = world.consumer()
    model_id = trained(http)
    consumer.terminate()
    assert consumer.wait() == 0
    return model_id


@pytest.fixture
def consumer(world: Stack, model: str) -> Iterator[Process]:
    started = world.consumer()
    started.says("waiting on queue.model.predict.async")
    yield started
    started.terminate()
    assert started.wait() == 0


def accepted(http: httpx2.Client, model: str) -> list[str]:
    ids = []
    for _ in range(JOBS):
        answer = http.post("/predict/async", json={"model_id": model, "input_data": ROW})
        assert answer.status_code == 202, answer.text
        message = answer.json()["message"]
        assert message["status"] == "TASK_QUEUED"
        ids.append(message["job_id"])
    return ids


def answered_once(world: Stack, http: httpx2.Client, jobs: list[str]) -> None:
    for job_id in jobs:
        ended = reached(http, job_id, "TASK_COMPLETED")
        assert ended["result"]["prediction"] == pytest.approx(PREDICTION, abs=0.1)
        assert ended["failures"] == 0
        ends = f"[{job_id}] END async model="  # one on each side of the broker
        until(lambda ends=ends: world.output().count(ends) >= 2, "the end is logged")
    until(lambda: world.waiting(PREDICT_ASYNC_QUEUE) == 0, "all messages are settled")
    for job_id in jobs:
        assert world.output().count(f"[{job_id}] START async model=") == 2
    assert world.waiting(DEAD_LETTER_QUEUE) == 0
    assert "Traceback" not in world.output()


def queued(world: Stack, jobs: list[str]) -> None:
    """Wait until every job has its message in the queue."""

    def there() -> bool:
        with suppress(AMQPError):  # the queue may be missing, too
            return world.waiting(PREDICT_ASYNC_QUEUE) >= len(jobs)  # one too many is dropped
        return False

    until(there, "each job has its message")


def test_jobs_that_wait_outlive_a_broker_that_is_killed(
    world: Stack, http: httpx2.Client, model: str, broker: Broker, request: pytest.FixtureRequest
) -> None:
    jobs = accepted(http, model)
    assert [job(http, job_id)["queue_position"] for job_id in jobs] == [1, 2, 3, 4, 5]
    broker.kill()
    broker.start()
    queued(world, jobs)
    request.getfixturevalue("consumer")
    answered_once(world, http, jobs)


def test_jobs_that_wait_outlive_their_queue(
    world: Stack, http: httpx2.Client, model: str, request: pytest.FixtureRequest
) -> None:
    jobs = accepted(http, model)
    queued(world, jobs)
    with world.amqp() as connection:
        connection.channel().queue_delete(PREDICT_ASYNC_QUEUE)
    queued(world, jobs)
    request.getfixturevalue("consumer")
    answered_once(world, http, jobs)


def test_jobs_are_accepted_while_the_broker_is_away(
    world: Stack, http: httpx2.Client, model: str, broker: Broker, consumer: Process
) -> None:
    broker.stop()
    try:
        jobs = accepted(http, model)
        body = {"sync_model_id": model, "async_model_id": model, "input_data": ROW}
        both = http.post("/predict/sync_async", json=body).json()["message"]
        assert (both["status"], both["error"]["type"]) == ("TASK_ERROR", "broker_unavailable")
        problem = http.post("/predict/async", json={"model_id": "nobody", "input_data": ROW})
        assert is_problem(problem, 404)["field"] == "model_id"
    finally:
        broker.start()
    answered_once(world, http, jobs)
    found = reached(http, both["job_id"], "TASK_COMPLETED")
    assert (found["disagree"], found["sync"]["error"]["type"]) == (None, "broker_unavailable")


def test_a_consumer_that_does_not_invoke_leaves_them_to_others(
    world: Stack, http: httpx2.Client, model: str, request: pytest.FixtureRequest
) -> None:
    other = world.start((*CONSUMER, "--invoke", "0"))
    other.says(" consuming queue.model.", times=7)
    jobs = accepted(http, model)
    queued(world, jobs)
    request.getfixturevalue("consumer")
    answered_once(world, http, jobs)
    other.terminate()
    assert other.wait() == 0
