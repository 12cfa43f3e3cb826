"""RabbitMQ cancels the consumer that is in the middle of a job."""

from collections.abc import Iterator

import httpx2
import pytest

from app.amqp.topology import TRAIN_QUEUE
from devstack.rabbitmq import Broker
from tests.system.support import gated
from tests.system.support.client import job, reached, train, trained, upload
from tests.system.support.gated import HELD
from tests.system.support.processes import Process, Stack, until

TIMEOUT_MS = 1000
CANCELLED = "consumer cancelled by the broker"


@pytest.fixture(scope="module")
def http(world: Stack) -> httpx2.Client:
    _, http = world.producer()
    upload(http)
    upload(http, HELD)
    return http


@pytest.fixture
def consumer(world: Stack, http: httpx2.Client) -> Iterator[Process]:
    started = world.consumer(gated.ALONE)
    yield started
    started.end()


@pytest.fixture
def consumer_timeout(world: Stack, broker: Broker) -> Iterator[None]:
    """A policy by which a consumer may hold a message of the training queue for a second."""
    version = broker.api("GET", "overview")["rabbitmq_version"]
    if tuple(map(int, version.split(".")[:2])) < (4, 3):
        pytest.skip(f"RabbitMQ {version} closes the channel instead, and has no policy for it")
    path = f"policies/{world.environment['RABBITMQ_VHOST']}/model-train"
    policy = broker.api("GET", path)
    changed = {**policy["definition"], "consumer-timeout": TIMEOUT_MS}
    broker.api("PUT", path, {**policy, "definition": changed})
    yield
    broker.api("PUT", path, policy)


@pytest.fixture
def held(consumer: Process, http: httpx2.Client) -> str:
    """A job that its consumer holds."""
    job_id = train(http, dataset_id=HELD)
    consumer.says(f"holding {job_id}")
    return job_id


def goes_on(stack: Stack, http: httpx2.Client, consumer: Process, job_id: str) -> None:
    """Let the job end; there is one model, and the consumer takes the next message."""
    consuming = consumer.output().count(" consuming queue.model.train")
    stack.let_go(job_id)
    ended = reached(http, job_id, "TASK_COMPLETED")
    assert (ended["attempt"], ended["failures"]) == (1, 0)
    consumer.says(" consuming queue.model.train", times=consuming + 1)
    trained(http)
    until(lambda: stack.waiting(TRAIN_QUEUE) == 0, "no message is left")
    assert job(http, job_id) == ended
    assert stack.stored(job_id) == {1}
    assert http.get(f"/models/{job_id}").is_success


def test_a_fit_that_outlasts_the_consumer_timeout_goes_on(
    consumer_timeout: None, world: Stack, http: httpx2.Client, consumer: Process, held: str
) -> None:
    consumer.says(CANCELLED)
    until(lambda: world.waiting(TRAIN_QUEUE) == 1, "the message is back in its queue")
    goes_on(world, http, consumer, held)
    consumer.says(f"[{held}] duplicate dropped: TASK_COMPLETED in attempt 1")


def test_a_fit_whose_queue_is_deleted_goes_on(
    world: Stack, http: httpx2.Client, consumer: Process, held: str
) -> None:
    with world.amqp() as connection:
        connection.channel().queue_delete(TRAIN_QUEUE)
    consumer.says(CANCELLED)
    goes_on(world, http, consumer, held)
