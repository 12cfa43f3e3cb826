import json
import subprocess
import threading
from contextlib import suppress
from queue import Empty, SimpleQueue

import pika
import pytest

from app import errors
from app.amqp.connection import connection_parameters
from app.amqp.topology import PREDICT_ASYNC_QUEUE, TRAIN_QUEUE, WORK_EXCHANGE
from app.jobs import outbox, relay, retry_policy
from app.jobs.relay import OutboxRelay
from app.jobs.store import JobStore
from app.models.registry import CachedModelRegistry
from app.observability.metrics import catalogue
from app.protocol.training_request import TrainRequest
from app.protocol.types import JobKind, JobStatus
from app.protocol.validation import parse_request
from app.settings import Settings
from devstack import ports
from devstack.program import find
from devstack.rabbitmq_node import SERVER_FOLDERS
from tests.support.counted import counted
from tests.support.rows import (
    ASKED,
    ERROR,
    INPUTS,
    REQUEST,
    RESULT,
    accept,
    complete_as_before,
    expire,
    outboxed,
    put,
    run,
)
from tests.support.taking import take
from tests.support.waiting import until
from tests.support.wire import Wire, close_connection

LONG_AGO = -outbox.SETTLED_SECONDS - 1
JOIN_SECONDS = 10

# What depends on the broker alone, and takes seconds there.
on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


class Clock:
    """One for a relay, which goes on when it is told to."""

    def __init__(self):
        self.time = 1000.0

    def __call__(self):
        return self.time

    def go_on(self):
        """Let the time of grace be over."""
        self.time += relay.GRACE_SECONDS + 1


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def settings(broker, vhost):
    found = {name.lower(): value for name, value in broker.node.settings().items()}
    return Settings(_env_file=None, **{**found, "rabbitmq_vhost": vhost})


class Faulty(JobStore):
    """A job table that may be away, and says when that was noticed.

    Each of `in_a_round` is called once, by the relay that asks next.
    """

    def __init__(self, url):
        super().__init__(url)
        self.away = False
        self.noticed = threading.Event()
        self.in_a_round = SimpleQueue()

    def requeue_expired_leases(self):
        with suppress(Empty):
            self.in_a_round.get_nowait()()
        if self.away:
            self.noticed.set()
            raise errors.DatabaseUnavailable("away")
        return super().requeue_expired_leases()


@pytest.fixture
def store(database_url):
    opened = Faulty(database_url)
    yield opened
    opened.close()


@pytest.fixture
def start(settings, store):
    """Start relays, whose rounds follow each other fast; they end with the test."""
    started = []

    def start(name="relay", port=None, **options):
        changes = {"rabbitmq_port": port} if port else {}
        parameters = connection_parameters(settings.model_copy(update=changes), name)
        options = {"round_seconds": 0.02, **options}
        started.append(OutboxRelay(parameters, store, **options))
        started[-1].start()
        return started[-1]

    yield start
    for each in started:
        each.stop()
    for each in started:
        each.join(JOIN_SECONDS)
        assert not each.is_alive()


class Broker:
    """What a consumer, and an operator, would see of the queues."""

    def __init__(self, settings):
        self.connection = pika.BlockingConnection(connection_parameters(settings, "test"))
        self.channel = self.connection.channel()
        self.channel.confirm_delivery()

    def depth(self, queue=TRAIN_QUEUE):
        return self.channel.queue_declare(queue, passive=True).method.message_count

    def take(self, count=1, queue=TRAIN_QUEUE):
        """Wait for messages, and take them."""
        return take(self.channel, queue, count)

    def find(self, job_id):
        """Wait for the message of a job; take it, and those before it."""
        while self.ids(1) != [job_id]:
            pass

    def ids(self, count):
        return [properties.message_id for _, properties, _ in self.take(count)]

    def publish(self, job_id):
        """Publish as the producer does."""
        relay.publish_entry(
            self.channel, outbox.OutboxEntry(job_id, JobKind.TRAIN, REQUEST, None, None, 0.0)
        )


@pytest.fixture
def seen(settings):
    opened = Broker(settings)
    yield opened
    opened.connection.close()


def pass_a_round(store, seen):
    """Let a whole round pass: the second marker is of a later one than the first.

    Their messages stay where they are, or they would be missed.
    """
    for _ in range(2):
        depth = seen.depth()
        outboxed(store, f"marker-{len(store.newest(1000))}")
        until(lambda depth=depth: seen.depth() > depth, "the marker is there")


# What is published, and how.


def test_a_queue_that_has_lost_its_binding_gets_it_back(store, start, seen):
    """As when a process of an older version has declared it again."""
    seen.channel.queue_unbind(TRAIN_QUEUE, WORK_EXCHANGE, TRAIN_QUEUE)
    outboxed(store, "m")

    start()

    seen.find("m")


def test_the_relay_says_who_publishes(settings, store, start, seen):
    outboxed(store, "m")

    start()

    ((_, properties, _),) = seen.take()
    assert properties.user_id == settings.rabbitmq_user


def test_what_is_in_the_outbox_is_published(store, start, seen):
    outboxed(store, "m", reply_to="amq.gen-1", correlation_id="c1")

    start()

    ((_, properties, body),) = seen.take()
    request = parse_request(TrainRequest, body)
    assert request == TrainRequest(**REQUEST, model_id="m")
    assert properties.message_id == "m"
    assert (properties.reply_to, properties.correlation_id) == ("amq.gen-1", "c1")
    assert properties.delivery_mode == 2
    assert properties.content_type == "application/json"
    assert properties.expiration is None
    assert store.get("m").published_at is not None
    assert store.get("m").state is JobStatus.QUEUED


def test_the_message_is_no_longer_than_the_one_that_was_accepted(seen):
    long = {**REQUEST, "target": "я" * 256}

    relay.publish_entry(seen.channel, outbox.OutboxEntry("m", JobKind.TRAIN, long, None, None, 0.0))

    ((_, _, body),) = seen.take()
    assert parse_request(TrainRequest, body) == TrainRequest(**long, model_id="m")
    assert len(body) <= len(TrainRequest(**long, model_id="m").encode()) + 100


def test_a_long_outbox_is_published_in_the_order_of_its_jobs(store, start, seen):
    names = [f"job-{n}" for n in (7, 3, 9, 1, 8, 2, 6, 0, 5, 4)]
    outboxed(store, *names)

    start(batch=4)

    assert seen.ids(10) == names


def test_what_comes_later_is_published_too(store, start, seen):
    start()
    for n in range(3):
        outboxed(store, f"job-{n}")
        assert seen.ids(1) == [f"job-{n}"]


def test_a_model_that_an_older_consumer_completed_gets_its_row(store, start):
    complete_as_before(store, "old")

    start()

    until(lambda: CachedModelRegistry(store).newest(1), "the model is listed")


def test_two_relays_publish_each_job_once(store, start, seen):
    names = [f"job-{n}" for n in range(60)]
    outboxed(store, *names)

    start("one")
    start("two")

    assert sorted(seen.ids(60)) == sorted(names)
    outboxed(store, "the-last")
    assert seen.ids(1) == ["the-last"]
    assert seen.depth() == 0


def test_the_message_of_a_prediction_says_which_and_no_more(store, start, seen):
    outboxed(store, "m", kind=JobKind.PREDICT, dataset_id=None, request=ASKED, inputs=INPUTS)

    start()

    ((_, properties, body),) = seen.take(queue=PREDICT_ASYNC_QUEUE)
    assert json.loads(body) == {"job_id": "m"}
    assert properties.message_id == "m"
    assert properties.delivery_mode == 2
    assert properties.content_type == "application/json"
    assert properties.expiration is None
    assert store.get("m").published_at is not None
    assert seen.depth() == 0


def test_a_prediction_is_published_when_its_time_has_come(store, start, seen):
    assert store.retry("m", run(store, kind=JobKind.PREDICT), ERROR, delay=60.0)
    start()
    pass_a_round(store, seen)
    assert store.get("m").published_at is None

    put(store, "m", run_after=-1)

    ((_, properties, _),) = seen.take(queue=PREDICT_ASYNC_QUEUE)
    assert properties.message_id == "m"
    assert properties.expiration is None


# What is missing.


def published_long_ago(store, *job_ids, kind=JobKind.TRAIN):
    for job_id in job_ids:
        accept(store, job_id, kind=kind)
    put(store, published_at=LONG_AGO)


def test_jobs_whose_messages_have_vanished_are_published_again(store, start, seen):
    published_long_ago(store, "one", "two", "three")

    with counted(catalogue.RECOVERIES) as recoveries:
        start()
        assert sorted(seen.ids(3)) == ["one", "three", "two"]

    assert recoveries == {("republish",): 3}


def test_predictions_whose_messages_have_vanished_are_published_though_trainings_wait(
    store, start, seen, caplog
):
    published_long_ago(store, "training-1", "training-2")
    for name in ("training-1", "training-2", "stranger"):
        seen.publish(name)
    published_long_ago(store, "prediction", kind=JobKind.PREDICT)

    start()

    ((_, properties, _),) = seen.take(queue=PREDICT_ASYNC_QUEUE)
    assert properties.message_id == "prediction"
    assert seen.depth() == 3
    assert "the messages of 1 jobs are missing" in caplog.text


@pytest.mark.parametrize("loss", ["queue_purge", "queue_delete"])
def test_jobs_whose_queue_is_emptied_or_deleted_are_published_again(store, start, seen, loss):
    published_long_ago(store, "one", "two", "three")
    for name in ("one", "two", "three"):
        seen.publish(name)
    start()
    outboxed(store, "marker")
    until(lambda: depth_or_none(seen) == 4, "all are there")
    put(store, published_at=LONG_AGO)  # before the loss: a round may follow at once

    getattr(seen.channel, loss)(TRAIN_QUEUE)

    until(lambda: depth_or_none(seen) == 4, "all are there again")
    assert sorted(seen.ids(4)) == ["marker", "one", "three", "two"]


def depth_or_none(seen):
    """The queue may not be there."""
    try:
        return seen.depth()
    except pika.exceptions.ChannelClosedByBroker:
        seen.channel = seen.connection.channel()
        seen.channel.confirm_delivery()
        return None


def test_one_message_that_vanished_of_many_is_published_again(store, start, seen):
    published_long_ago(store, *(f"job-{n}" for n in range(5)))
    put(store, "job-2", published_at=LONG_AGO - 10)  # those before it have been delivered
    for n in (0, 1, 3, 4):
        seen.publish(f"job-{n}")

    start()

    until(lambda: seen.depth() == 5, "the message is there")
    assert sorted(seen.ids(5)) == [f"job-{n}" for n in range(5)]


def test_a_long_queue_is_not_flooded(store, start, seen, caplog):
    names = [f"job-{n:03}" for n in range(100)]
    published_long_ago(store, *names)
    for name in names:
        seen.publish(name)

    start()
    for _ in range(5):
        pass_a_round(store, seen)

    assert "missing" not in caplog.text
    assert seen.depth() == 110
    assert seen.ids(100) == names


def test_a_message_on_the_ladder_is_not_missed(store, start, seen, caplog):
    assert store.retry("m", run(store), ERROR, delay=55.0)
    start()
    until(lambda: seen.depth(retry_policy.retry_queue(55.0)) == 1, "it is in a retry queue")
    put(store, "m", published_at=LONG_AGO, run_after=LONG_AGO)  # the head of its queue takes longer

    pass_a_round(store, seen)

    assert "missing" not in caplog.text


# The retry queues.


@pytest.mark.parametrize(
    ("delay", "queue"),
    [(9.0, "queue.model.retry.2"), (50.0, "queue.model.retry.3")],  # of the first: below
)
def test_a_retry_waits_in_its_queue(store, start, seen, delay, queue):
    accept(store, reply_to="amq.gen-1", correlation_id="c1")
    attempt = store.claim("m", "worker")
    assert store.retry("m", attempt, ERROR, delay)

    start()

    ((_, properties, body),) = seen.take(queue=queue)
    assert 0 < int(properties.expiration) <= delay * 1000
    assert properties.message_id == "m"
    assert (properties.reply_to, properties.correlation_id) == ("amq.gen-1", "c1")
    assert parse_request(TrainRequest, body).model_id == "m"
    assert seen.depth() == 0


def test_a_retry_falls_from_its_rung_into_the_queue_of_trainings(store, start, seen):
    # The broker's limit is 2 s; with a delay below it the relay might come when it is over.
    assert store.retry("m", run(store), ERROR, delay=50.0)

    start(retry_queue=lambda _: "queue.model.retry.1")

    ((method, properties, _),) = seen.take()
    assert properties.message_id == "m"
    assert properties.headers["x-first-death-queue"] == "queue.model.retry.1"
    assert properties.headers["x-first-death-reason"] == "expired"
    (death,) = properties.headers["x-death"]
    assert 0 < int(death["original-expiration"]) <= 50_000
    assert not method.redelivered
    assert store.claim("m", "worker 2") == 2


def test_a_retry_whose_time_is_over_does_not_climb_the_ladder(store, start, seen):
    assert store.retry("m", run(store), ERROR, delay=50.0)
    put(store, "m", run_after=-1)

    start()

    ((_, properties, _),) = seen.take()
    assert properties.expiration is None
    assert "x-death" not in (properties.headers or {})


# The broker is away, or refuses.


def test_a_broker_that_is_away_is_waited_for(store, start, seen, settings, caplog):
    outboxed(store, "m")
    (port,) = ports.unused(1)
    started = start(port=port)
    until(lambda: caplog.text.count("the relay lost RabbitMQ") >= 2, "it has tried twice")
    assert started.healthy
    assert store.get("m").published_at is None

    with Wire(settings.rabbitmq_port, listen=port):
        assert seen.ids(1) == ["m"]
        started.stop()
        started.join(JOIN_SECONDS)


def test_a_connection_that_is_cut_is_made_again(store, start, seen, settings):
    with Wire(settings.rabbitmq_port) as wire:
        started = start(port=wire.port)
        outboxed(store, "one")
        assert seen.ids(1) == ["one"]

        wire.cut()
        outboxed(store, "two")

        while (found := seen.ids(1)) == ["one"]:  # again, if its confirmation was cut off
            pass
        assert found == ["two"]
        started.stop()
        started.join(JOIN_SECONDS)


@on_sqlite
def test_a_connection_that_an_operator_closes_is_made_again(store, start, seen, broker, settings):
    start("relay to close")
    outboxed(store, "one")
    assert seen.ids(1) == ["one"]

    close_connection(broker, "relay to close")
    outboxed(store, "two")

    assert seen.ids(1) == ["two"]


def test_what_is_returned_goes_back_to_the_outbox(store, start, seen, caplog):
    """The first of a batch has nowhere to go: with it, those behind it wait."""
    assert store.retry("one", run(store, "one"), ERROR, delay=50.0)
    outboxed(store, "two", "three")
    queues = {"now": "queue.model.nowhere"}

    start(retry_queue=lambda _: queues["now"])

    until(lambda: caplog.text.count("takes no more") >= 2, "it is returned, and again")
    queues["now"] = "queue.model.retry.3"
    ((_, properties, _),) = seen.take(queue="queue.model.retry.3")
    assert properties.message_id == "one"
    assert seen.ids(2) == ["two", "three"]


@on_sqlite
def test_while_a_queue_is_full_the_rest_waits_in_the_outbox(
    store, start, seen, broker, settings, caplog
):
    limit(broker, settings, 1)
    names = {f"job-{n}" for n in range(4)}
    outboxed(store, *names)

    start()

    until(lambda: caplog.text.count("takes no more") >= 3, "it is refused, and again")
    assert "the relay lost RabbitMQ" not in caplog.text  # the connection is as good as before
    assert any(job.published_at is None for job in store.newest(10))
    limit(broker, settings, 100_000)
    found = set(seen.ids(1))
    while found != names:
        found |= set(seen.ids(1))


def test_a_relay_whose_rounds_fail_asks_less_and_less_often(store, start, caplog):
    """Though it gets its connection each time."""

    def delays():
        said = [each.getMessage() for each in caplog.records]
        return [float(each.split()[-2]) for each in said if "the relay lost RabbitMQ" in each]

    start(queues={JobKind.TRAIN: ("queue.model.nowhere",)})

    until(lambda: len(delays()) >= 5, "it has failed five times in a row")
    assert delays()[4] > delays()[0]


def limit(broker, settings, length):
    """Let the queue of trainings hold so many messages."""
    path = f"policies/{settings.rabbitmq_vhost}/model-train"
    policy = broker.api("GET", path)
    policy["definition"]["max-length"] = length
    broker.api("PUT", path, policy)

    def effective():
        found = broker.api("GET", f"queues/{settings.rabbitmq_vhost}/{TRAIN_QUEUE}")
        return found.get("effective_policy_definition", {}).get("max-length") == length

    until(effective, "the queue has its limit")


# Dead consumers.


def test_a_job_whose_consumer_is_dead_is_published_again(store, start, seen, clock):
    attempt = run(store)
    expire(store)
    start(timer=clock)
    pass_a_round(store, seen)
    with counted(catalogue.RECOVERIES) as recoveries:
        clock.go_on()
        seen.find("m")

    assert recoveries == {("takeover",): 1}
    job = store.get("m")
    assert job.state is JobStatus.QUEUED
    assert (job.losses, job.failures) == (1, 0)
    assert not store.complete_training("m", attempt, *RESULT)


def test_a_job_whose_consumer_lives_is_left_alone(store, start, seen, clock):
    attempt = run(store)
    start(timer=clock)
    pass_a_round(store, seen)
    clock.go_on()

    pass_a_round(store, seen)

    assert store.complete_training("m", attempt, *RESULT)


def test_a_relay_that_has_just_begun_lets_the_holders_of_leases_come_first(
    store, start, seen, clock
):
    attempt = run(store)
    expire(store)

    start(timer=clock)
    pass_a_round(store, seen)

    assert store.renew({("m", attempt): None})
    clock.go_on()
    pass_a_round(store, seen)
    assert store.complete_training("m", attempt, *RESULT)


def test_after_the_database_was_away_the_holders_of_leases_come_first(
    store, start, seen, clock, caplog
):
    attempts = {name: run(store, name) for name in ("alive", "dead")}
    started = start(timer=clock)
    pass_a_round(store, seen)
    clock.go_on()
    store.away = True
    assert store.noticed.wait(20)
    for name in attempts:  # nobody could renew
        expire(store, name)

    until(lambda: "away" in caplog.text, "the relay waits")
    store.away = False
    pass_a_round(store, seen)

    assert [store.get(name).state for name in attempts] == [JobStatus.RUNNING] * 2
    assert store.renew({("alive", attempts["alive"]): None})
    clock.go_on()
    seen.find("dead")
    assert store.complete_training("alive", attempts["alive"], *RESULT)
    assert not store.complete_training("dead", attempts["dead"], *RESULT)
    assert started.healthy


def test_after_the_broker_was_away_the_holders_of_leases_come_first(
    store, start, seen, clock, settings, caplog
):
    """The relay did not look meanwhile: the database may have been away, too."""
    attempt = run(store)
    with Wire(settings.rabbitmq_port) as wire:
        started = start(port=wire.port, timer=clock)
        pass_a_round(store, seen)
        clock.go_on()

        wire.cut()
        until(lambda: "the relay lost RabbitMQ" in caplog.text, "the connection is lost")
        expire(store)
        pass_a_round(store, seen)

        assert store.renew({("m", attempt): None})
        expire(store)
        clock.go_on()
        seen.find("m")
        started.stop()
        started.join(JOIN_SECONDS)


def test_a_bug_in_a_round_does_not_end_the_relay(store, start, seen, caplog):
    def bug():
        raise RuntimeError("a bug")

    store.in_a_round.put(bug)
    started = start(grace_seconds=0.01)
    until(lambda: "a bug" in caplog.text, "the bug is met")

    outboxed(store, "m")

    assert seen.ids(1) == ["m"]
    assert started.healthy


# The end.


def ended(started):
    started.join(JOIN_SECONDS)
    return not started.is_alive() and not started.healthy


def test_a_relay_that_is_stopped_ends(store, start, seen):
    started = start()
    outboxed(store, "one")
    assert seen.ids(1) == ["one"]
    assert started.healthy

    started.stop()

    assert ended(started)
    outboxed(store, "two")
    assert seen.depth() == 0


def test_a_relay_that_is_stopped_leaves_the_rest_in_the_outbox(store, start, seen):
    started = start(batch=1, grace_seconds=0.0)

    def stop():
        outboxed(store, "one", "two", "three")
        started.stop()

    store.in_a_round.put(stop)

    assert ended(started)
    assert seen.ids(1) == ["one"]
    assert seen.depth() == 0
    assert [store.get(name).published_at for name in ("two", "three")] == [None, None]


def test_a_relay_ends_while_the_broker_is_away(store, start, caplog):
    started = start(port=ports.unused(1)[0])
    until(lambda: "the relay lost RabbitMQ" in caplog.text, "it waits")

    started.stop()

    assert ended(started)


@on_sqlite
def test_a_relay_ends_while_the_broker_is_blocked(store, start, seen, broker):
    started = start("relay to block")
    rabbitmqctl(broker, "set_vm_memory_high_watermark", "0.000001")
    try:
        outboxed(store, "m")
        until(lambda: state_of(broker, "relay to block") == "blocked", "the relay is blocked")

        started.stop()

        assert ended(started)
        assert store.get("m").published_at is None
    finally:
        rabbitmqctl(broker, "set_vm_memory_high_watermark", "0.4")


def state_of(broker, name):
    found = [
        each for each in broker.api("GET", "connections") if each.get("user_provided_name") == name
    ]
    return found[0].get("state") if found else None


def rabbitmqctl(broker, *command):
    """Have the operator's tool talk to the node of the tests."""
    _, server = broker.node.prepare()
    subprocess.run(
        [find("rabbitmqctl", SERVER_FOLDERS), *command],
        env=server.environment,
        check=True,
        capture_output=True,
    )
