"""A Warren whose users may do no more than they need, on a broker that refuses all else."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import quote

import httpx2
import pika
import pytest

from app.amqp.permissions import Role
from app.amqp.topology import (
    DEAD_LETTER_QUEUE,
    PREDICT_QUEUE,
    REQUEST_EXCHANGE,
    TRAIN_QUEUE,
    WORK_EXCHANGE,
)
from app.amqp.users import User, user_definitions
from app.jobs.store import JobStore
from app.protocol.types import JobStatus
from devstack.demo import ROW, TRAIN
from devstack.layout import ROOT
from devstack.program import inherited
from devstack.rabbitmq import Broker
from tests.system.support.amqp import DIRECT, RpcClient, address_of_broker
from tests.system.support.client import PREDICTION, predict, reached, train, trained, upload
from tests.system.support.processes import CONSUMER, Stack, until
from warren_client import errors
from warren_client.amqp import Broker as AmqpClient

CLIENT = User(Role.CLIENT, "wrn-client-team", "of the client")
READER = User(Role.CLIENT, "reader", "of the reader")
OWNERS = {"AMQP_OWNERS": "reader=team:predict"}
SHARED = {**TRAIN, "dataset_id": "default~diabetes"}
FOREVER = {"params": {"n_estimators": 1_000_000, "max_depth": 3}}


class Client(RpcClient):
    """A client whose user may publish to the exchange of clients only."""

    user: str | None = None

    def ask(self, queue: str, body: Any, **properties: Any) -> None:
        self.responses, self.corr_id = [], json.dumps(body)[:20]
        sent = {
            "reply_to": self.callback_queue,
            "correlation_id": self.corr_id,
            "user_id": self.user,
            **properties,
        }
        properties_ = pika.BasicProperties(**sent)
        self.channel.basic_publish(REQUEST_EXCHANGE, queue, json.dumps(body), properties_)


@pytest.fixture(scope="module")
def http(world: Stack, broker: Broker) -> httpx2.Client:
    """A producer and a consumer, each with a user of its own."""
    world.environment |= broker.node.logins()
    vhost = world.environment["RABBITMQ_VHOST"]
    broker.api("POST", "definitions", user_definitions([CLIENT, READER], vhost))
    _, _, http = world.pair(**OWNERS)
    upload(http)
    http.put("/datasets/diabetes/grants/team").raise_for_status()
    return http


@pytest.fixture(scope="module")
def model_id(http: httpx2.Client) -> str:
    return trained(http)


@contextmanager
def login(world: Stack, user: User, callback_queue: str = "") -> Iterator[Client]:
    with pika.BlockingConnection(world.parameters(user.name, user.password)) as connection:
        client = Client(connection, callback_queue)
        client.user = user.name
        yield client


def dead_letters(world: Stack, *arguments: str) -> str:
    command = [sys.executable, "-m", "app.cli.dead_letters", *arguments]
    environment = inherited() | world.environment
    ended = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True
    )
    return ended.stdout


def test_all_kinds_of_jobs_and_predictions_work(http: httpx2.Client, model_id: str) -> None:
    assert predict(http, model_id)["prediction"] == pytest.approx(PREDICTION, abs=0.00005)
    asked = {"model_id": model_id, "input_data": ROW}
    answer = http.post("/predict/async", json=asked)
    assert answer.status_code == 202, answer.text
    reached(http, answer.json()["message"]["job_id"], "TASK_COMPLETED")
    answer = http.post("/predict/batch", json={"model_id": model_id, "dataset_id": "diabetes"})
    assert answer.status_code == 202, answer.text
    reached(http, answer.json()["message"]["job_id"], "TASK_COMPLETED")
    assert http.get("/health/all").status_code == 200


@pytest.mark.parametrize("callback_queue", ["", DIRECT], ids=["own queue", "direct"])
def test_a_client_trains_and_predicts_through_its_exchange(
    callback_queue: str, world: Stack, http: httpx2.Client
) -> None:
    with login(world, CLIENT, callback_queue) as client:
        received, completed = client.call(TRAIN_QUEUE, SHARED, count=2)
        assert (received["status"], completed["status"]) == ("TASK_RECEIVED", "TASK_COMPLETED")
        asked = {"model_id": completed["model_id"], "input_data": ROW}
        (answer,) = client.call(PREDICT_QUEUE, asked)
        assert answer["prediction"] == pytest.approx(PREDICTION, abs=0.00005)


def test_the_python_client_works_as_such_a_user(world: Stack, http: httpx2.Client) -> None:
    login = {"RABBITMQ_USER": CLIENT.name, "RABBITMQ_PASSWORD": quote(CLIENT.password)}
    with AmqpClient(address_of_broker(world.environment | login)) as client:
        trained = client.train(**SHARED)
        assert trained["status"] == "TASK_COMPLETED"
        assert len(client.predict(trained["model_id"], [ROW, ROW])) == 2
        with pytest.raises(errors.NotFound):
            client.train(**TRAIN)  # the team has none of this name


def test_the_python_client_is_told_which_scope_it_lacks(world: Stack, http: httpx2.Client) -> None:
    login = {"RABBITMQ_USER": READER.name, "RABBITMQ_PASSWORD": quote(READER.password)}
    address = address_of_broker(world.environment | login)
    with (
        AmqpClient(address, exchange=REQUEST_EXCHANGE) as client,
        pytest.raises(errors.Forbidden, match="user reader lacks the scope train"),
    ):
        client.train(**SHARED)
    dead_letters(world, "purge", "--all", "--yes")


def test_a_client_without_the_scope_is_told(world: Stack, http: httpx2.Client) -> None:
    with login(world, READER) as client:
        (refused,) = client.call(TRAIN_QUEUE, TRAIN)
        assert (refused["status"], refused["error"]["type"]) == ("TASK_ERROR", "forbidden")
        assert "lacks the scope train" in refused["error"]["detail"]
    dead_letters(world, "purge", "--all", "--yes")


def test_a_client_that_hides_its_user_is_told(world: Stack, http: httpx2.Client) -> None:
    with login(world, CLIENT) as client:
        client.user = None
        (refused,) = client.call(TRAIN_QUEUE, TRAIN)
        assert "user_id" in refused["error"]["detail"]
    until(lambda: world.waiting(DEAD_LETTER_QUEUE) == 1, "it is a dead letter")
    assert dead_letters(world, "replay", "--all") == "1 replayed\n"
    until(lambda: world.waiting(DEAD_LETTER_QUEUE) == 1, "it is refused again")
    dead_letters(world, "purge", "--all", "--yes")


def test_forged_headers_of_attempts_and_deadlines_change_nothing(
    world: Stack, http: httpx2.Client
) -> None:
    """What a job may do and how often is in its row; a message only asks for it."""
    forged = {
        "x-delivery-count": 99,
        "x-attempt": 7,
        "attempt": 7,
        "x-fence": 7,
        "x-retry": 7,
        "x-death": [{"queue": TRAIN_QUEUE, "reason": "rejected", "count": 99}],
        "x-first-death-reason": "rejected",
    }
    with login(world, CLIENT) as client:
        _, completed = client.call(TRAIN_QUEUE, {**SHARED, "attempt": 7}, 2, headers=forged)
        job = JobStore(world.environment["DATABASE_URL"]).get(f"team~{completed['model_id']}")
        assert job is not None
        assert (job.owner, job.attempt, job.failures, job.state) == (
            *("team", 1, 0),
            JobStatus.COMPLETED,
        )
        asked = {"model_id": completed["model_id"], "input_data": ROW, "deadline": 1e12}
        (answer,) = client.call(PREDICT_QUEUE, asked, headers=forged, expiration="30000")
        assert answer["status"] == "TASK_COMPLETED"


def test_the_job_of_a_consumer_that_is_killed_runs_again(world: Stack, http: httpx2.Client) -> None:
    """The relays see from the presence queues, which they may not read, that it is gone."""
    consumer = world.consumer(CONSUMER, **OWNERS)
    jobs = [train(http, **FOREVER) for _ in range(4)]  # both consumers have some
    for each in jobs:
        reached(http, each, "TASK_RUNNING")
    consumer.kill()
    until(
        lambda: (
            any(http.get(f"/jobs/{each}").json()["attempt"] > 1 for each in jobs)
            or "jobs of lost consumers are requeued" in world.output()
        ),
        "a job of the lost consumer is requeued",
    )
    for each in jobs:
        http.delete(f"/jobs/{each}")


def test_a_wrong_setting_ends_a_consumer_with_one_sentence(world: Stack) -> None:
    consumer = world.start(CONSUMER, AMQP_OWNERS="reader=team:fly")

    assert consumer.wait() == 1
    assert consumer.output().startswith("Error: AMQP_OWNERS: reader=team:fly: the scopes are ")
    assert consumer.output().count("\n") == 1


def test_nothing_was_refused_to_the_services(
    world: Stack, broker: Broker, http: httpx2.Client
) -> None:
    vhost = world.environment["RABBITMQ_VHOST"]
    lines = (broker.node.folder / "output.log").read_text(errors="replace").splitlines()

    assert [line for line in lines if vhost in line and "refused" in line.lower()] == []
    with world.amqp() as connection:
        connection.channel().exchange_declare(WORK_EXCHANGE, passive=True)
