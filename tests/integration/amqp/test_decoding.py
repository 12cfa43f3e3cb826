"""Messages whose properties would end a connection, were it not for a shield."""

import asyncio
import json
import struct
from contextlib import suppress

import pika
import pytest

from app import errors
from app.amqp.connection import connection_parameters
from app.amqp.message import Disposition
from app.amqp.topology import PREDICT_QUEUE, TRAIN_QUEUE, declare_topology
from app.backoff import RetryUntilAvailable
from app.consumer.handlers.train import TrainHandler
from app.consumer.threaded_consumer import ThreadedConsumer
from app.jobs.attempt import JobAttempts
from app.jobs.lease import LeaseKeeper
from app.jobs.outbox import OutboxEntry
from app.jobs.relay import publish_entry
from app.producer.rpc.client import RpcClient
from app.protocol.replies import Reply
from app.protocol.types import JobKind, JobStatus
from app.training.fit_process import FitLimits
from tests.fuzz.properties import Raw, encode, entry, nested, table
from tests.support.fakes import FakeDatasets, FakeModels, FakeTrainer, HandlerOf, Pauses, delivery
from tests.support.waiting import until

MILLISECONDS = table(entry(b"at", b"T", struct.pack(">Q", 1_760_000_000_000)))
DIRECT = b"amq.rabbitmq.reply-to"
GONE = b".g1h2AA5yZXBseUA5OTk5OTk5OQAAA2IAAAAAawE7tQ==.Gu/iWPD/YVMDjjt68yqzjw=="

POISON = {
    "a timestamp in milliseconds": {"headers": MILLISECONDS},
    "tables 3,000 deep": {"headers": nested(3000)},
    "names that are not UTF-8": {"correlation_id": b"\xff", "content_type": b"\xc3"},
    "a callback queue that is not UTF-8": {"reply_to": b"\xff\xfe"},
    "a callback queue with a NUL": {"reply_to": b"\0"},
    "a direct reply-to that is none": {"reply_to": DIRECT + b".a.b"},
    "a direct reply-to that is not UTF-8": {"reply_to": DIRECT + b".\xff"},
    "a direct reply-to of a node that is gone": {"reply_to": DIRECT + GONE},
}


@pytest.fixture
def channel(settings):
    with pika.BlockingConnection(connection_parameters(settings, "client")) as connection:
        yield connection.channel()


@pytest.fixture
def taken(settings):
    """The bodies that a worker has answered."""
    seen = []

    def handler(deliveries):
        for each in deliveries:
            seen.append((each.body, each.redelivered))
            each.reply(Reply(JobStatus.COMPLETED))

    parameters = connection_parameters(settings, "worker")
    worker = ThreadedConsumer("worker", parameters, HandlerOf(handler, PREDICT_QUEUE, prefetch=8))
    worker.start()
    yield seen
    assert worker.healthy
    worker.stop()
    worker.join(20)


@pytest.mark.parametrize("properties", POISON.values(), ids=POISON)
def test_a_worker_answers_poison_once_and_goes_on(properties, taken, channel):
    channel.queue_declare("answers", exclusive=True)
    good = pika.BasicProperties(reply_to="answers", correlation_id="good")

    channel.basic_publish("", PREDICT_QUEUE, b"poison", Raw(encode(properties)))
    channel.basic_publish("", PREDICT_QUEUE, b"good", good)

    until(lambda: channel.basic_get("answers", auto_ack=True)[0], "a reply to the good one")
    assert taken == [(b"poison", False), (b"good", False)]


def test_a_direct_reply_comes_although_another_one_was_poison(taken, channel):
    poison = encode({"reply_to": DIRECT + b".a.b"})
    answers = []
    direct = DIRECT.decode()
    channel.basic_consume(direct, lambda *got: answers.append(got[2].correlation_id), auto_ack=True)

    for name in ("a", "b"):
        channel.basic_publish("", PREDICT_QUEUE, b"poison", Raw(poison))
        good = pika.BasicProperties(reply_to=direct, correlation_id=name)
        channel.basic_publish("", PREDICT_QUEUE, b"good", good)

    def both():
        channel.connection.process_data_events(0.05)
        return len(answers) == 2

    until(both, "both replies")
    assert answers == ["a", "b"]
    assert [redelivered for _, redelivered in taken] == [False] * 4


@pytest.fixture
def anyio_backend():
    """What the product runs under."""
    return "asyncio", {"use_uvloop": True}


@pytest.mark.anyio
@pytest.mark.parametrize("properties", POISON.values(), ids=POISON)
async def test_a_producer_gets_its_reply_although_poison_came_before(properties, channel, settings):
    declare_topology(channel)
    client = RpcClient(connection_parameters(settings, "producer"))
    client.start()
    before = await connected(client)
    call = asyncio.create_task(client.call(PREDICT_QUEUE, b"{}", 30))

    def answer():
        asked = until(lambda: got(channel), "a request")
        channel.basic_publish("", asked.reply_to, b"{}", Raw(encode(properties)))
        named = pika.BasicProperties(correlation_id=asked.correlation_id)
        channel.basic_publish("", asked.reply_to, Reply(JobStatus.COMPLETED, "m").encode(), named)

    await asyncio.to_thread(answer)

    assert await call == Reply(JobStatus.COMPLETED, "m").encode()
    assert client.check() is before
    await client.stop()


async def connected(client):
    async with asyncio.timeout(20):
        while True:
            with suppress(errors.BrokerUnavailable):
                return client.check()
            await asyncio.sleep(0.01)


def got(channel):
    return channel.basic_get(PREDICT_QUEUE, auto_ack=True)[1]


@pytest.fixture
def train(store):
    """A handler of trainings with fakes of all but the job table."""
    retry = RetryUntilAvailable(Pauses())
    leases = LeaseKeeper(store)
    leases.start()
    yield TrainHandler(
        store,
        JobAttempts(store, "w", retry),
        leases,
        FakeDatasets(),
        FakeModels(),
        FakeTrainer(),
        FitLimits(1.0, 10**9),
        retry,
    )
    leases.stop()
    leases.join()


@pytest.mark.parametrize("name", [b"\xff\xfe", "a\0b", "\u00fc" * 127, None])
def test_a_row_holds_whatever_a_message_is_called(name, store, train):
    request = {"dataset_id": "data", "features": ["a"], "target": "t", "model_id": "m"}

    train([delivery(request, correlation_id=name)])

    kept = store.get("m")
    assert kept is not None
    assert kept.state is JobStatus.COMPLETED
    assert kept.correlation_id == (None if name in (b"\xff\xfe", "a\0b") else name)


@pytest.mark.parametrize("name", ["a\0b", "a" * 255])
def test_a_training_that_is_called_what_no_row_can_be_is_rejected(name, train):
    poison = delivery(b"{", message_id=name)

    train([poison])

    assert poison.disposition is Disposition.REJECT


def test_a_message_that_the_relay_repeats_is_no_longer_than_it_was(settings, channel):
    declare_topology(channel)
    channel.confirm_delivery()
    features = [f"{n:04}" + "\u4e16" * 246 for n in range(5000)]  # 3.7 MB, and 7.4 with escapes
    request = {"dataset_id": "d", "features": features, "target": "t"}

    publish_entry(channel, OutboxEntry("m", JobKind.TRAIN, request, None, None, 0.0))

    _, _, body = until(lambda: next(iter(loaded(channel)), None), "the message")
    assert {name: body[name] for name in request} == request
    assert body["model_id"] == "m"


def loaded(channel):
    method, properties, body = channel.basic_get(TRAIN_QUEUE, auto_ack=True)
    return [(method, properties, json.loads(body))] if method else []
