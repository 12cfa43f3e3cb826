"""Consumers that die, hang or lose their connection in the middle of a job."""

import re
import secrets
import signal
import sys
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest

from app.amqp.topology import DEAD_LETTER_QUEUE, TRAIN_QUEUE
from devstack.demo import TRAIN
from devstack.rabbitmq import Broker
from tests.support.wire import Wire, close_connection
from tests.system.support import gated
from tests.system.support.amqp import RpcClient
from tests.system.support.client import job, reached, train, upload
from tests.system.support.gated import GRIPPED, HELD, KEPT
from tests.system.support.processes import Process, Stack, consumes, until

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="stops processes and their time")

# Whoever waits for the lease of a dead consumer to end waits for longer than a test lasts.
PATIENT = {"LEASE_SECONDS": "3600", "RABBITMQ_HEARTBEAT": "1"}
QUICK = {"LEASE_SECONDS": "5", "DRAIN_SECONDS": "0.1", "MAX_ATTEMPTS": "100"}


@pytest.fixture(scope="module")
def http(world: Stack) -> httpx2.Client:
    _, http = world.producer(TRAIN_WAIT="0.2")
    for dataset_id in ("diabetes", HELD, KEPT, GRIPPED):
        upload(http, dataset_id)
    return http


class Fleet:
    """Consumers with a thread of each kind, which one test leaves to the next: a start is slow."""

    def __init__(self, world: Stack) -> None:
        self.world = world
        self.consumers: list[Process] = []
        self._settings: dict[str, str] = {}

    def be(self, count: int, settings: dict[str, str]) -> None:
        """Be so many consumers with these settings and no other."""
        left = [each for each in self.consumers if settings == self._settings and each.family()]
        for each in set(self.consumers) - set(left):
            each.end()
        self._settings = settings
        self.consumers = left + self.more(count - len(left))

    def more(self, count: int) -> list[Process]:
        """Start some with the same settings."""
        started = [self.world.start(gated.ALONE, **self._settings) for _ in range(count)]
        for each in started:
            consumes(each, 1)
        return started

    def of(self, worker: str) -> tuple[Process, Process]:
        """Return the consumer that has a job, by its name in the row, and the other one."""
        pid = int(worker.split(":")[1])
        first, second = self.consumers
        return (first, second) if first.pid == pid else (second, first)


@pytest.fixture(scope="module")
def consumers(world: Stack, http: httpx2.Client) -> Fleet:
    return Fleet(world)


@pytest.fixture
def fleet(consumers: Fleet, http: httpx2.Client) -> Iterator[Fleet]:
    """No job that has not ended, before and after."""
    yield consumers
    for each in http.get("/jobs", params={"limit": 1000}).json()["jobs"]:
        http.delete(f"/jobs/{each['id']}")


def running(http: httpx2.Client, job_id: str, attempt: int = 1) -> dict[str, Any]:
    """Wait until this attempt runs; return the job."""

    def runs() -> dict[str, Any] | None:
        found = job(http, job_id)
        assert found["attempt"] <= attempt, found
        return found if (found["state"], found["attempt"]) == ("TASK_RUNNING", attempt) else None

    return until(runs, f"attempt {attempt} of {job_id} runs") or {}


def test_a_fit_that_lets_no_other_thread_run_costs_no_connection(
    fleet: Fleet, http: httpx2.Client, broker: Broker
) -> None:
    fleet.be(2, PATIENT)
    vhost = fleet.world.environment["RABBITMQ_VHOST"]

    def connections() -> set[str]:
        found = broker.api("GET", f"vhosts/{vhost}/connections")
        names = {each["name"]: each.get("user_provided_name") or "" for each in found}
        return {each for each, name in names.items() if name.startswith("warren consumer")}

    until(lambda: len(connections()) == 12, "the management API shows six for each of the two")
    before = connections()
    job_id = train(http, dataset_id=GRIPPED)
    assert reached(http, job_id, "TASK_COMPLETED")["attempt"] == 1
    assert connections() == before


def test_a_fit_whose_consumer_loses_its_connection_goes_on_and_the_duplicate_is_dropped(
    fleet: Fleet, http: httpx2.Client, broker: Broker
) -> None:
    fleet.be(2, PATIENT)
    job_id = f"mine-{secrets.token_hex(8)}"
    with fleet.world.amqp() as connection:
        client = RpcClient(connection, f"replies.{job_id}")
        client.ask(TRAIN_QUEUE, {**TRAIN, "dataset_id": HELD, "model_id": job_id})
        client.replies(1)
        worker = running(http, job_id)["worker"]
        host, _, thread = worker.rpartition(":")
        close_connection(broker, f"warren consumer {host} {thread}")
        holder, other = fleet.of(worker)
        other.says(f"[{job_id}] duplicate dropped: attempt 1 runs on {worker}")

        fleet.world.let_go(job_id)
        received, completed = client.replies(2)
        assert (received["status"], completed["status"]) == ("TASK_RECEIVED", "TASK_COMPLETED")
    ended = job(http, job_id)
    assert (ended["state"], ended["attempt"], ended["failures"]) == ("TASK_COMPLETED", 1, 0)
    until(lambda: fleet.world.waiting(TRAIN_QUEUE) == 0, "the duplicate is settled")
    holder.says(" consuming queue.model.train", times=2)


def test_the_job_of_a_killed_consumer_is_run_again_without_waiting_for_its_lease(
    fleet: Fleet, http: httpx2.Client
) -> None:
    fleet.be(2, PATIENT)
    job_id = train(http, dataset_id=HELD)
    victim, heir = fleet.of(running(http, job_id)["worker"])
    victim.kill()
    assert victim.wait() == -signal.SIGKILL

    again = running(http, job_id, attempt=2)
    assert again["failures"] == 0
    assert again["error"]["type"] == "consumer_lost"
    assert fleet.of(again["worker"])[0] is heir

    fleet.world.let_go(job_id)
    assert reached(http, job_id, "TASK_COMPLETED")["attempt"] == 2
    assert fleet.world.stored(job_id) == {2}


def test_the_job_of_a_killed_consumer_is_free_though_no_other_one_is_idle(
    fleet: Fleet, http: httpx2.Client
) -> None:
    fleet.be(2, PATIENT)
    ids = [train(http, dataset_id=HELD) for _ in range(2)]
    workers = [running(http, each)["worker"] for each in ids]
    victim, _ = fleet.of(workers[0])
    victim.kill()

    freed = until(lambda: queued(http, ids[0]), "the job is free")
    assert (freed["attempt"], freed["failures"]) == (1, 0)
    assert freed["error"]["type"] == "consumer_lost"
    assert job(http, ids[1])["attempt"] == 1


def queued(http: httpx2.Client, job_id: str) -> dict[str, Any] | None:
    """Return a job if it is queued."""
    found = job(http, job_id)
    return found if found["state"] == "TASK_QUEUED" else None


def test_a_training_without_a_name_is_one_job_when_its_consumer_is_killed(
    fleet: Fleet, http: httpx2.Client
) -> None:
    """Neither a model_id nor a message_id: only the broker says that the message comes again."""
    fleet.be(2, PATIENT)

    def job_ids() -> set[str]:
        return {each["id"] for each in http.get("/jobs", params={"limit": 1000}).json()["jobs"]}

    before = job_ids()
    with fleet.world.amqp() as connection:
        client = RpcClient(connection)
        (received,) = client.call(TRAIN_QUEUE, {**TRAIN, "dataset_id": HELD})
        job_id = received["model_id"]
        victim, _ = fleet.of(running(http, job_id)["worker"])
        victim.kill()
        running(http, job_id, attempt=2)
        fleet.world.let_go(job_id)
        *_, completed = client.replies(3)
    assert (completed["status"], completed["model_id"]) == ("TASK_COMPLETED", job_id)
    assert job_ids() - before == {job_id}


def test_a_consumer_that_was_frozen_past_its_lease_is_fenced(
    fleet: Fleet, http: httpx2.Client
) -> None:
    fleet.be(2, QUICK)
    job_id = train(http, dataset_id=KEPT)
    zombie, heir = fleet.of(running(http, job_id)["worker"])
    until(lambda: fleet.world.stored(job_id) == {1}, "the first model is stored")
    zombie.freeze()
    running(http, job_id, attempt=2)

    fleet.world.let_go(job_id)
    heir.says(f"[{job_id}] attempt 2: TASK_COMPLETED")
    zombie.thaw()
    zombie.says(f"[{job_id}] fenced: attempt 1")
    zombie.says(f"[{job_id}] attempt 2: TASK_COMPLETED")  # of the other attempt, as the row says
    ended = job(http, job_id)
    assert (ended["state"], ended["attempt"], ended["failures"]) == ("TASK_COMPLETED", 2, 0)
    until(lambda: fleet.world.stored(job_id) == {2}, "the files of the late one are swept")
    assert http.get(f"/models/{job_id}").status_code == 200


def test_two_consumers_are_restarted_one_after_the_other_and_no_job_notices(
    fleet: Fleet, http: httpx2.Client
) -> None:
    fleet.be(2, QUICK)
    held = train(http, dataset_id=HELD)
    jobs = [train(http, params={"n_estimators": 300}) for _ in range(8)]
    old, fleet.consumers = fleet.consumers, fleet.more(2)
    for each in old:
        each.terminate()
        assert each.wait() == 0
    fleet.world.let_go(held)

    def completions(job_id: str) -> int:
        return len(re.findall(rf"\[{job_id}\] attempt \d+: published", fleet.world.output()))

    for job_id in (held, *jobs):
        assert reached(http, job_id, "TASK_COMPLETED")["failures"] == 0
        # The line follows the commit of the row.
        until(lambda job_id=job_id: completions(job_id) > 0, "the completion is logged")
        assert completions(job_id) == 1
        assert len(fleet.world.stored(job_id)) == 1
    assert fleet.world.waiting(DEAD_LETTER_QUEUE) == 0


def test_s3_may_go_away_before_and_after_a_fit(
    fleet: Fleet, http: httpx2.Client, quick_ladder: None
) -> None:
    address, _, number = fleet.world.environment["AWS_ENDPOINT_URL"].rpartition(":")
    s3_port = int(number)
    with Wire(s3_port) as wire:
        port = wire.port
    fleet.be(1, {**QUICK, "AWS_ENDPOINT_URL": f"{address}:{port}"})
    (consumer,) = fleet.consumers
    job_id = train(http, dataset_id=HELD)
    consumer.says(f"[{job_id}] retry in")
    failed = job(http, job_id)
    assert failed["error"]["type"] == "storage_unavailable"
    assert failed["failures"] >= 1

    with Wire(s3_port, listen=port):
        consumer.says(f"holding {job_id}")
    fit = job(http, job_id)
    fleet.world.let_go(job_id)
    consumer.says(f"[{job_id}] S3 cannot be reached")
    with Wire(s3_port, listen=port):
        ended = reached(http, job_id, "TASK_COMPLETED")
    assert (ended["attempt"], ended["failures"]) == (fit["attempt"], fit["attempt"] - 1)
    assert ended["error"] is None
