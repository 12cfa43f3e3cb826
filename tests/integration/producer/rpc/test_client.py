import asyncio
import json
import subprocess
from collections.abc import Awaitable, Callable
from contextlib import asynccontextmanager

import pika
import pytest

from app import errors
from app.amqp.connection import connection_parameters
from app.amqp.pika_callbacks import open_channel
from app.amqp.topology import (
    MAX_MESSAGE_BYTES,
    PREDICT_ASYNC_QUEUE,
    PREDICT_QUEUE,
    TRAIN_QUEUE,
    WORK_EXCHANGE,
    declare_topology,
)
from app.observability import tracing
from app.producer.rpc.client import RpcClient
from app.producer.rpc.replies import read_prediction
from app.protocol.replies import Failed, Predicted, Reply
from app.protocol.types import NDJSON_MEDIA_TYPE, JobStatus
from devstack.rabbitmq_node import SERVER_FOLDERS
from tests.support.spans import SENT, ids, named, recorded, trace_of
from tests.support.taking import take
from tests.support.wire import Wire, close_connection

pytestmark = pytest.mark.anyio

LONG = 30.0  # seconds that nobody waits for
CONFIRMED = 5.0  # seconds in which the broker confirms a job
TAKEN = 4.0  # seconds in which a test takes a message, which then expires


@pytest.fixture
def anyio_backend():
    """What the product runs under."""
    return "asyncio", {"use_uvloop": True}


class Consumer:
    """Takes messages and answers them when it is told to; its calls block."""

    def __init__(self, settings):
        self.connection = pika.BlockingConnection(connection_parameters(settings, "consumer"))
        self.channel = self.connection.channel()

    def take(self, count=1, queue=PREDICT_QUEUE):
        return take(self.channel, queue, count)

    def finds_nothing(self, queue=PREDICT_QUEUE):
        return not self.channel.queue_declare(queue, passive=True).method.message_count

    def answer(self, message, reply):
        _, properties, _ = message
        body = reply.encode() if isinstance(reply, Reply) else reply
        self.channel.basic_publish(
            "",
            properties.reply_to,
            body,
            pika.BasicProperties(correlation_id=properties.correlation_id),
        )


@pytest.fixture
def consumer(settings):
    made = Consumer(settings)
    yield made
    if made.connection.is_open:
        made.connection.close()


async def eventually(ask: Callable[[], object], what: str) -> None:
    """Wait until it is so, and let the loop go on meanwhile."""
    async with asyncio.timeout(20):
        while not ask():  # noqa: ASYNC110 - nobody sets an event for what is asked
            await asyncio.sleep(0.01)


def is_connected(client: RpcClient) -> bool:
    try:
        client.check()
    except errors.BrokerUnavailable:
        return False
    return True


@asynccontextmanager
async def connected(settings, name="client", **changes):
    client = RpcClient(connection_parameters(settings.model_copy(update=changes), name))
    client.start()
    try:
        await eventually(lambda: is_connected(client), "connected")
        yield client
    finally:
        await client.stop()


async def raised(call: Awaitable[object]) -> BaseException:
    with pytest.raises(errors.WarrenError) as caught:
        await call
    return caught.value


def completed(prediction=None):
    return Predicted("m", prediction=prediction)


async def test_a_call_is_answered(settings, consumer):
    async with connected(settings) as client:
        call = asyncio.create_task(client.call(PREDICT_QUEUE, b'{"a":1}', LONG))
        (message,) = await asyncio.to_thread(consumer.take)
        consumer.answer(message, completed(prediction=1.5))

        assert await call == completed(prediction=1.5).encode()


async def test_a_call_travels_with_its_properties(settings, consumer):
    async with connected(settings) as client:
        call = asyncio.create_task(client.call(PREDICT_QUEUE, b'{"a":1}', 12.5))
        (message,) = await asyncio.to_thread(consumer.take)
        consumer.answer(message, completed())
        await call

    _, properties, body = message
    assert body == b'{"a":1}'
    assert properties.content_type == "application/json"
    assert properties.expiration == "12500"
    assert properties.delivery_mode != 2
    assert properties.correlation_id
    assert properties.reply_to.startswith("amq.gen-")
    assert properties.timestamp > 1_700_000_000
    assert properties.user_id == settings.rabbitmq_user


async def test_the_default_exchange_serves_while_that_of_work_is_missing(settings, consumer):
    """A broker that has the definitions of an older version takes the messages of a newer one."""
    consumer.channel.exchange_delete(WORK_EXCHANGE)
    async with connected(settings) as client:
        call = asyncio.create_task(client.call(PREDICT_QUEUE, b"{}", LONG))
        (message,) = await asyncio.to_thread(consumer.take)
        consumer.answer(message, completed())
        await call
    assert message[0].exchange == ""

    declare_topology(consumer.channel)
    async with connected(settings) as client:
        call = asyncio.create_task(client.call(PREDICT_QUEUE, b"{}", LONG))
        (message,) = await asyncio.to_thread(consumer.take)
        consumer.answer(message, completed())
        await call
    assert message[0].exchange == WORK_EXCHANGE


async def test_a_call_may_be_of_another_type(settings, consumer):
    async with connected(settings) as client:
        call = asyncio.create_task(client.call(PREDICT_QUEUE, b"1\n2", LONG, NDJSON_MEDIA_TYPE))
        (message,) = await asyncio.to_thread(consumer.take)
        consumer.answer(message, b"3\n4")

        assert await call == b"3\n4"

    _, properties, body = message
    assert (properties.content_type, body) == (NDJSON_MEDIA_TYPE, b"1\n2")


async def test_a_job_travels_with_its_properties(settings, consumer):
    async with connected(settings) as client:
        job = asyncio.create_task(client.submit(TRAIN_QUEUE, b"{}", "job-7", LONG))
        (message,) = await asyncio.to_thread(consumer.take, 1, TRAIN_QUEUE)
        consumer.answer(message, Reply(JobStatus.RECEIVED, "job-7"))
        await job

    _, properties, _ = message
    assert properties.message_id == "job-7"
    assert properties.delivery_mode == 2
    assert properties.expiration is None
    assert properties.content_type == "application/json"


async def test_calls_that_are_answered_in_reverse_order_get_their_own_answers(settings, consumer):
    def answer_all():
        for message in reversed(consumer.take(200)):
            consumer.answer(message, completed(prediction=json.loads(message[2])))

    async with connected(settings) as client:
        calls = [client.call(PREDICT_QUEUE, str(n).encode(), LONG) for n in range(200)]
        answering = asyncio.to_thread(answer_all)
        *replies, _ = await asyncio.gather(*calls, answering)

    assert [read_prediction(reply).prediction for reply in replies] == list(range(200))


NO_REPLIES = [
    b"",
    b"{",
    b"[]",
    b'{"status": "DONE"}',
    b'{"status": NaN}',
    b'{"status": "TASK_ERROR"}',
]


async def test_a_call_that_nobody_answers_ends_at_its_deadline(settings, consumer):
    async with connected(settings) as client:
        caught = await raised(client.call(PREDICT_QUEUE, b"{}", 0.05))

        assert type(caught) is errors.DeadlineExceeded
        assert "0.05 s" in caught.detail
        # The message expires with the call: what is found then is the next one.
        await eventually(consumer.finds_nothing, "its expiry")
        call = asyncio.create_task(client.call(PREDICT_QUEUE, b"2", LONG))
        (message,) = await asyncio.to_thread(consumer.take)
        assert message[2] == b"2"
        consumer.answer(message, completed())
        await call


async def test_a_late_reply_is_ignored(settings, consumer):
    async with connected(settings) as client:
        call = asyncio.create_task(client.call(PREDICT_QUEUE, b"1", TAKEN))
        (late,) = await asyncio.to_thread(consumer.take)
        assert type(await raised(call)) is errors.DeadlineExceeded

        consumer.answer(late, completed(prediction=1))
        call = asyncio.create_task(client.call(PREDICT_QUEUE, b"2", LONG))
        (message,) = await asyncio.to_thread(consumer.take)
        consumer.answer(message, completed(prediction=2))

        assert await call == completed(prediction=2).encode()


async def test_a_second_reply_to_one_call_is_ignored(settings, consumer):
    async with connected(settings) as client:
        for number in range(3):
            call = asyncio.create_task(client.call(PREDICT_QUEUE, b"{}", LONG))
            (message,) = await asyncio.to_thread(consumer.take)
            consumer.answer(message, completed(prediction=number))
            consumer.answer(message, completed(prediction="again"))

            assert await call == completed(prediction=number).encode()


async def test_a_reply_to_nobody_is_ignored(settings, consumer):
    async with connected(settings) as client:
        call = asyncio.create_task(client.call(PREDICT_QUEUE, b"{}", LONG))
        (message,) = await asyncio.to_thread(consumer.take)
        method, properties, body = message
        for correlation_id in (None, "", "somebody else's"):
            other = pika.BasicProperties(
                reply_to=properties.reply_to, correlation_id=correlation_id
            )
            consumer.answer((method, other, body), completed(prediction="wrong"))
        consumer.answer(message, completed(prediction=1))

        assert await call == completed(prediction=1).encode()


@pytest.mark.parametrize("body", NO_REPLIES)
async def test_a_call_returns_unread_what_is_no_reply(settings, consumer, body):
    async with connected(settings) as client:
        call = asyncio.create_task(client.call(PREDICT_QUEUE, b"1", LONG))
        (message,) = await asyncio.to_thread(consumer.take)
        consumer.answer(message, body)

        assert await call == body


@pytest.mark.parametrize("body", NO_REPLIES)
async def test_what_is_no_reply_to_a_job_is_an_error_of_its_own_only(settings, consumer, body):
    async with connected(settings) as client:
        job = asyncio.create_task(client.submit(TRAIN_QUEUE, b"{}", "m", LONG))
        (message,) = await asyncio.to_thread(consumer.take, 1, TRAIN_QUEUE)
        consumer.answer(message, body)

        assert type(await raised(job)) is errors.WarrenError
        assert is_connected(client)


async def test_a_call_to_a_queue_that_is_not_there_fails_at_once(settings):
    async with connected(settings) as client:
        caught = await raised(client.call("queue.model.nowhere", b"{}", LONG))

        assert type(caught) is errors.Unroutable
        assert "queue.model.nowhere" in caught.detail


async def test_a_job_that_is_not_replied_to_is_done_with_when_the_broker_has_it(settings, consumer):
    async with connected(settings) as client:
        assert await client.submit(PREDICT_ASYNC_QUEUE, b"{}", "m", LONG, replied=False) is None
        ((_, properties, body),) = await asyncio.to_thread(consumer.take, queue=PREDICT_ASYNC_QUEUE)
    assert (body, properties.message_id, properties.delivery_mode) == (b"{}", "m", 2)
    assert properties.reply_to is None


async def test_a_job_that_is_not_replied_to_and_has_no_queue_comes_back(settings):
    async with connected(settings) as client:
        nowhere = client.submit("queue.model.nowhere", b"{}", "m", LONG, replied=False)
        assert isinstance(await raised(nowhere), errors.Unroutable)


async def test_a_job_that_is_not_replied_to_and_is_not_confirmed(settings):
    async with connected(settings) as client:
        late = client.submit(PREDICT_ASYNC_QUEUE, b"{}", "m", 1e-9, replied=False)
        assert isinstance(await raised(late), errors.BrokerUnavailable)


async def test_a_job_for_a_queue_that_is_not_there_fails_at_once(settings):
    async with connected(settings) as client:
        caught = await raised(client.submit("queue.model.nowhere", b"{}", "m", LONG))

        assert type(caught) is errors.Unroutable


async def test_a_job_that_nobody_takes_within_the_wait_is_with_the_broker(settings, consumer):
    async with connected(settings) as client:
        assert await client.submit(TRAIN_QUEUE, b'{"job":1}', "m", CONFIRMED) is None

    ((_, _, body),) = consumer.take(1, TRAIN_QUEUE)
    assert body == b'{"job":1}'


async def test_the_first_reply_to_a_job_is_returned(settings, consumer):
    async with connected(settings) as client:
        job = asyncio.create_task(client.submit(TRAIN_QUEUE, b"{}", "m", LONG))
        (message,) = await asyncio.to_thread(consumer.take, 1, TRAIN_QUEUE)
        consumer.answer(message, Reply(JobStatus.RECEIVED, "m"))
        consumer.answer(message, completed())

        assert await job == Reply(JobStatus.RECEIVED, "m")


async def test_a_job_that_is_refused_within_the_wait_raises(settings, consumer):
    error = errors.Invalid("params.x", "no such parameter")
    async with connected(settings) as client:
        job = asyncio.create_task(client.submit(TRAIN_QUEUE, b"{}", "m", LONG))
        (message,) = await asyncio.to_thread(consumer.take, 1, TRAIN_QUEUE)
        consumer.answer(message, Failed.of(error, "m"))

        assert (await raised(job)).to_wire() == error.to_wire()


async def test_many_jobs_at_once_are_all_confirmed(settings, consumer):
    async with connected(settings) as client:
        submitted = [client.submit(TRAIN_QUEUE, b"%d" % n, str(n), LONG) for n in range(50)]
        jobs = asyncio.gather(*submitted)
        await eventually(lambda: client.check().published == 50, "published")
        await eventually(lambda: client.check().confirms == {}, "confirmed")

        taken = await asyncio.to_thread(consumer.take, 50, TRAIN_QUEUE)
        for message in taken:
            consumer.answer(message, Reply(JobStatus.RECEIVED, message[2].decode()))
        assert [reply.model_id for reply in await jobs] == [str(n) for n in range(50)]


async def test_a_job_that_is_not_confirmed_within_the_wait_is_not_with_the_broker(
    settings, consumer
):
    async with connected(settings) as client:
        caught = await raised(client.submit(TRAIN_QUEUE, b"{}", "m", 1e-9))

        assert type(caught) is errors.BrokerUnavailable
        assert "confirm" in caught.detail


async def test_a_job_that_the_queue_refuses_is_not_accepted(settings, broker, consumer):
    policy = {"pattern": "^full$", "definition": {"max-length": 1, "overflow": "reject-publish"}}
    policy |= {"apply-to": "queues", "priority": 9}
    broker.api("PUT", f"policies/{settings.rabbitmq_vhost}/full", policy)
    consumer.channel.queue_declare("full", durable=True)
    consumer.channel.queue_bind("full", WORK_EXCHANGE, "full")
    async with connected(settings) as client:
        jobs = [client.submit("full", b"{}", "m", CONFIRMED) for _ in range(10)]
        first, *_, last = await asyncio.gather(*jobs, return_exceptions=True)

    assert first is None
    assert type(last) is errors.BrokerUnavailable
    assert "full" in last.detail


async def test_whoever_waits_is_told_at_once_when_the_connection_is_closed(
    settings, broker, consumer
):
    async with connected(settings, name="closed") as client:
        calls = [asyncio.create_task(client.call(PREDICT_QUEUE, b"{}", LONG)) for _ in range(20)]
        await asyncio.to_thread(consumer.take, 20)
        await asyncio.to_thread(close_connection, broker, "closed")

        async with asyncio.timeout(LONG / 3):
            caught = await asyncio.gather(*calls, return_exceptions=True)
        assert {type(each) for each in caught} == {errors.BrokerUnavailable}

        await eventually(lambda: is_connected(client), "connected again")
        call = asyncio.create_task(client.call(PREDICT_QUEUE, b"{}", LONG))
        (message,) = await asyncio.to_thread(consumer.take)
        consumer.answer(message, completed(prediction=1))
        assert await call == completed(prediction=1).encode()


async def test_calls_work_again_after_each_of_many_losses(settings, consumer, wire):
    async with connected(settings, rabbitmq_port=wire.port) as client:
        for number in range(5):
            await eventually(lambda: is_connected(client), "connected")
            call = asyncio.create_task(client.call(PREDICT_QUEUE, b"{}", LONG))
            (message,) = await asyncio.to_thread(consumer.take)
            consumer.answer(message, completed(prediction=number))
            assert await call == completed(prediction=number).encode()

            lost = asyncio.create_task(client.call(PREDICT_QUEUE, b"{}", LONG))
            await asyncio.to_thread(consumer.take)
            wire.cut()
            assert type(await raised(lost)) is errors.BrokerUnavailable


async def test_while_the_broker_is_away_calls_fail_at_once(settings):
    with Wire(settings.rabbitmq_port) as taken:
        port = taken.port
    client = RpcClient(
        connection_parameters(settings.model_copy(update={"rabbitmq_port": port}), "early")
    )
    client.start()
    for call in (
        client.call(PREDICT_QUEUE, b"{}", LONG),
        client.submit(TRAIN_QUEUE, b"{}", "m", LONG),
        client.count(PREDICT_QUEUE),
    ):
        assert type(await raised(call)) is errors.BrokerUnavailable

    with Wire(settings.rabbitmq_port, listen=port):
        await eventually(lambda: is_connected(client), "connected")
        await client.stop()


async def test_a_wrong_password_is_no_end(settings):
    wrong = type(settings.rabbitmq_password)("wrong")
    parameters = connection_parameters(
        settings.model_copy(update={"rabbitmq_password": wrong}), "stranger"
    )
    client = RpcClient(parameters)
    client.start()
    caught = await raised(client.call(PREDICT_QUEUE, b"{}", LONG))
    assert type(caught) is errors.BrokerUnavailable

    parameters.credentials = connection_parameters(settings, "known").credentials
    await eventually(lambda: is_connected(client), "connected")
    await client.stop()


async def test_a_job_that_was_confirmed_before_the_loss_is_safe(settings, consumer, wire):
    async with connected(settings, rabbitmq_port=wire.port) as client:
        job = asyncio.create_task(client.submit(TRAIN_QUEUE, b"{}", "m", LONG))
        await eventually(lambda: client.check().published, "published")
        await eventually(lambda: not client.check().confirms, "confirmed")
        wire.cut()

        assert await job is None

    assert len(consumer.take(1, TRAIN_QUEUE)) == 1


async def test_a_callback_queue_that_is_deleted_is_made_anew(settings, consumer):
    async with connected(settings) as client:
        before = client.check()
        call = asyncio.create_task(client.call(PREDICT_QUEUE, b"{}", LONG))
        await asyncio.to_thread(consumer.take)
        # Exclusive queues are their connection's; the client deletes it on a channel of its own.
        before.connection.channel(
            on_open_callback=lambda channel: channel.queue_delete(before.callback_queue)
        )

        assert type(await raised(call)) is errors.BrokerUnavailable
        await eventually(lambda: is_connected(client), "connected again")
        assert client.check().callback_queue != before.callback_queue


async def test_a_channel_that_the_broker_closes_is_made_anew(settings, consumer):
    async with connected(settings) as client:
        before = client.check()
        too_large = b"x" * (MAX_MESSAGE_BYTES + 1)

        caught = await raised(client.call(PREDICT_QUEUE, too_large, LONG))

        assert type(caught) is errors.BrokerUnavailable
        await eventually(lambda: is_connected(client), "connected again")
        assert client.check() is not before


async def test_stop_tells_whoever_waits(settings, consumer):
    async with connected(settings) as client:
        call = asyncio.create_task(client.call(PREDICT_QUEUE, b"{}", LONG))
        await asyncio.to_thread(consumer.take)

        await client.stop()

        assert type(await raised(call)) is errors.BrokerUnavailable
        assert type(await raised(client.call(PREDICT_QUEUE, b"{}", LONG))) is (
            errors.BrokerUnavailable
        )


async def test_a_caller_that_goes_away_is_forgotten(settings, consumer):
    async with connected(settings) as client:
        call = asyncio.create_task(client.call(PREDICT_QUEUE, b"{}", LONG))
        (message,) = await asyncio.to_thread(consumer.take)
        call.cancel()
        await asyncio.wait([call])
        assert client.in_flight == 0
        consumer.answer(message, completed())

        job = asyncio.create_task(client.submit(TRAIN_QUEUE, b"{}", "m", LONG))
        await asyncio.to_thread(consumer.take, 1, TRAIN_QUEUE)
        job.cancel()
        await asyncio.wait([job])
        assert client.in_flight == 0
        assert await client.submit(TRAIN_QUEUE, b"{}", "m", CONFIRMED) is None


async def test_nothing_is_kept_of_calls_that_have_ended(settings, consumer):
    async with connected(settings) as client:
        for _ in range(3):
            await raised(client.call(PREDICT_QUEUE, b"{}", 0.01))
            await raised(client.call("queue.model.nowhere", b"{}", LONG))
            await raised(client.submit(TRAIN_QUEUE, b"{}", "m", 1e-9))

        assert client.in_flight == 0
        await eventually(lambda: client.check().confirms == {}, "confirmed")


async def test_the_consumers_of_a_queue_are_counted(settings, consumer):
    async with connected(settings) as client:
        assert (await client.count(PREDICT_QUEUE)).consumers == 0

        for number in range(1, 4):
            consumer.channel.basic_consume(PREDICT_QUEUE, lambda *_: None)
            assert (await client.count(PREDICT_QUEUE)).consumers == number


async def test_to_count_the_consumers_of_no_queue_harms_nobody(settings, consumer):
    async with connected(settings) as client:
        before = client.check()
        call = asyncio.create_task(client.call(PREDICT_QUEUE, b"{}", LONG))
        (message,) = await asyncio.to_thread(consumer.take)

        caught = await raised(client.count("queue.model.nowhere"))

        assert type(caught) is errors.Unroutable
        consumer.answer(message, completed())
        await call
        assert client.check() is before


async def test_channels_for_counting_are_given_back(settings):
    async with connected(settings) as client:
        for _ in range(20):
            await client.count(PREDICT_QUEUE)
            await raised(client.count("queue.model.nowhere"))

        # A connection gives a new channel the lowest number that is free.
        session = client.check()
        channel = await open_channel(session.connection, session.lost)
        assert channel.channel_number <= 4


def rabbitmqctl(broker, *command):
    """Have the operator's tool talk to the node of the tests."""
    _, server = broker.node.prepare()
    subprocess.run(
        [*broker.node.command("rabbitmqctl", SERVER_FOLDERS), *command],
        env=server.environment,
        check=True,
        capture_output=True,
    )


async def test_while_the_broker_is_out_of_memory_calls_fail_at_once(settings, broker, consumer):
    calls = []

    def is_blocked():
        # RabbitMQ tells a connection that it is blocked when it publishes.
        if is_connected(client):
            calls.append(asyncio.create_task(client.call(PREDICT_QUEUE, b"{}", LONG)))
        return not is_connected(client)

    async with connected(settings) as client:
        await asyncio.to_thread(rabbitmqctl, broker, "set_vm_memory_high_watermark", "0.000001")
        try:
            await eventually(is_blocked, "blocked")
            for call in (
                *calls,  # those that waited already
                client.call(PREDICT_QUEUE, b"{}", LONG),
                client.submit(TRAIN_QUEUE, b"{}", "m", LONG),
            ):
                caught = await raised(call)
                assert type(caught) is errors.BrokerUnavailable
                assert "memory" in caught.detail
        finally:
            await asyncio.to_thread(rabbitmqctl, broker, "set_vm_memory_high_watermark", "0.4")

        await eventually(lambda: is_connected(client), "unblocked")
        call = asyncio.create_task(client.call(PREDICT_QUEUE, b"[]", LONG))
        while True:  # behind those that were written before the client knew
            (message,) = await asyncio.to_thread(consumer.take)
            if message[2] == b"[]":
                break
        assert message[2] == b"[]"
        consumer.answer(message, completed(prediction=1))
        assert await call == completed(prediction=1).encode()


async def test_a_call_and_a_job_name_the_spans_that_send_them(settings, consumer):
    with recorded() as spans:
        async with connected(settings) as client:
            with tracing.span("asked", parents=[SENT]):
                call = asyncio.create_task(client.call(PREDICT_QUEUE, b"{}", LONG))
                await client.submit(TRAIN_QUEUE, b"{}", "job", CONFIRMED, replied=False)
            (message,) = await asyncio.to_thread(consumer.take)
            (job,) = await asyncio.to_thread(consumer.take, queue=TRAIN_QUEUE)
            consumer.answer(message, completed())
            await call
        found = named(spans)

    for (_, properties, _), queue in ((message, PREDICT_QUEUE), (job, TRAIN_QUEUE)):
        _, trace, span, _ = properties.headers["traceparent"].split("-")
        sent = found[f"send {queue}"]
        assert ids(sent) == (trace, span, ids(found["asked"])[1])
        assert trace == trace_of(SENT)


async def test_without_tracing_a_message_has_no_headers(settings, consumer):
    async with connected(settings) as client:
        call = asyncio.create_task(client.call(PREDICT_QUEUE, b"{}", LONG))
        (message,) = await asyncio.to_thread(consumer.take)
        consumer.answer(message, completed())
        await call

    assert message[1].headers is None
