"""`POST /train` accepts a job while the broker takes nothing, and no job is lost by the broker."""

import re
import shutil
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import httpx2
import pytest
from pika.exceptions import AMQPError

from app.amqp.topology import DEAD_LETTER_QUEUE, TRAIN_QUEUE
from devstack.authority import Authority
from devstack.demo import TRAIN
from devstack.program import find
from devstack.rabbitmq import Broker
from devstack.rabbitmq_node import SERVER_FOLDERS
from tests.conftest import migrate
from tests.support.postgres import Postgres
from tests.system.support.client import is_problem, job, reached, upload
from tests.system.support.processes import Process, Stack, until

JOBS = 5
QUICK = {**TRAIN, "params": {"n_estimators": 5}}
KEY = {"Idempotency-Key": "once"}


@pytest.fixture(scope="module")
def broker(
    tmp_path_factory: pytest.TempPathFactory, encrypting: Authority | None
) -> Iterator[Broker]:
    """A node of the module's own: what is done to it is done to all its vhosts."""
    with Broker.on_free_ports(tmp_path_factory.mktemp("rabbitmq"), encrypting) as node:
        yield node


@pytest.fixture(scope="module")
def http(world: Stack) -> httpx2.Client:
    _, http = world.producer(TRAIN_WAIT="0.2")
    upload(http)
    return http


@pytest.fixture(scope="module")
def consumer(world: Stack, http: httpx2.Client) -> Process:
    """The module's consumer, from the first test on that asks for it."""
    return world.consumer()


def accepted(http: httpx2.Client) -> list[str]:
    """Have jobs accepted of which no consumer has heard; return their ids."""
    ids = []
    for _ in range(JOBS):
        answer = http.post("/train", json=QUICK)
        assert answer.status_code == 202, answer.text
        message = answer.json()["message"]
        assert message["status"] == "TASK_QUEUED"
        assert answer.headers["location"] == f"/jobs/{message['model_id']}"
        assert job(http, message["model_id"])["state"] == "TASK_QUEUED"
        ids.append(message["model_id"])
    return ids


def complete_once(world: Stack, http: httpx2.Client, jobs: list[str]) -> None:
    for job_id in jobs:
        ended = reached(http, job_id, "TASK_COMPLETED")
        assert (ended["attempt"], ended["failures"]) == (1, 0)
        begun = re.findall(rf"\[{job_id}\] attempt \d+: random_forest", world.output())
        assert len(begun) == 1
        assert world.stored(job_id) == {1}
    until(lambda: world.waiting(TRAIN_QUEUE) == 0, "all messages are settled")
    assert world.waiting(DEAD_LETTER_QUEUE) == 0
    assert "Traceback" not in world.output()


def rabbitmqctl(broker: Broker, *command: str) -> None:
    """Have the operator's tool talk to the node."""
    _, server = broker.node.prepare()
    tool = find("rabbitmqctl", SERVER_FOLDERS)
    subprocess.run([tool, *command], env=server.environment, check=True, capture_output=True)


def queued(world: Stack, http: httpx2.Client) -> list[str]:
    """Wait until every job that waits has its message in the queue; return their ids."""
    jobs = [each["id"] for each in http.get("/jobs?state=TASK_QUEUED").json()["jobs"]]

    def there() -> bool:
        with suppress(AMQPError):  # the queue may be missing, too
            return world.waiting(TRAIN_QUEUE) >= len(jobs)  # one too many is dropped
        return False

    until(there, "each job has its message")
    return jobs


def test_jobs_outlive_their_queue(world: Stack, http: httpx2.Client) -> None:
    before = accepted(http)
    assert set(queued(world, http)) >= set(before)
    with world.amqp() as connection:
        connection.channel().queue_delete(TRAIN_QUEUE)
    after = accepted(http)
    assert set(queued(world, http)) >= {*before, *after}


def test_jobs_outlive_the_data_of_the_broker(
    world: Stack, http: httpx2.Client, broker: Broker, request: pytest.FixtureRequest
) -> None:
    accepted(http)
    jobs = queued(world, http)
    broker.kill()
    shutil.rmtree(broker.node.folder / "data")
    broker.start()
    broker.new_vhost(world.environment["RABBITMQ_VHOST"])  # as definitions of it would
    assert set(queued(world, http)) == set(jobs)
    request.getfixturevalue("consumer")
    complete_once(world, http, jobs)


def test_jobs_are_accepted_while_the_broker_is_away(
    world: Stack, http: httpx2.Client, broker: Broker, consumer: Process
) -> None:
    broker.stop()
    try:
        jobs = accepted(http)
    finally:
        broker.start()
    complete_once(world, http, jobs)


def test_jobs_are_accepted_while_the_broker_is_out_of_memory(
    world: Stack, http: httpx2.Client, broker: Broker, consumer: Process
) -> None:
    rabbitmqctl(broker, "set_vm_memory_high_watermark", "0.000001")
    try:
        until(
            lambda: any(each.get("mem_alarm") for each in broker.api("GET", "nodes")), "the alarm"
        )
        jobs = accepted(http)
    finally:
        rabbitmqctl(broker, "set_vm_memory_high_watermark", "0.4")
    complete_once(world, http, jobs)


def nothing_came_of_it(stack: Stack, http: httpx2.Client) -> None:
    """The same request is taken when the database is back, and it is the first of its kind."""
    assert http.get("/jobs").json()["jobs"] == []
    assert stack.waiting(TRAIN_QUEUE) == 0
    answer = http.post("/train", json=TRAIN, headers=KEY)
    assert answer.status_code == 202
    (only,) = http.get("/jobs").json()["jobs"]
    assert only["id"] == answer.json()["message"]["model_id"]
    until(lambda: stack.waiting(TRAIN_QUEUE) >= 1, "its message is in the queue")


def unavailable(http: httpx2.Client) -> None:
    problem = is_problem(http.post("/train", json=TRAIN, headers=KEY), 503)
    assert problem["type"] == "database_unavailable"


def test_no_job_is_accepted_while_postgresql_is_away(
    environment: dict[str, str], tmp_path: Path, postgres: Postgres
) -> None:
    url = migrate(postgres.new_database())
    with Stack({**environment, "DATABASE_URL": url}, tmp_path) as stack:
        _, http = stack.producer(TRAIN_WAIT="0.2")
        upload(http)
        postgres.stop()
        try:
            unavailable(http)
        finally:
            postgres.start()
        nothing_came_of_it(stack, http)


def test_no_job_is_accepted_while_somebody_else_writes_into_sqlite(stack: Stack) -> None:
    _, http = stack.producer(TRAIN_WAIT="0.2")
    upload(http)
    file = stack.environment["DATABASE_URL"].removeprefix("sqlite:///")
    writer = sqlite3.connect(file, isolation_level=None)
    writer.execute("BEGIN EXCLUSIVE")
    unavailable(http)
    writer.execute("ROLLBACK")
    writer.close()
    nothing_came_of_it(stack, http)
