import asyncio
import json
import logging
import threading
from collections import Counter
from time import monotonic

import pika
import pytest

from app import errors
from app.amqp.topology import DEAD_LETTER_QUEUE, INVOKE_QUEUE, QUEUE_TYPES
from app.consumer.async_consumer import AsyncConsumer
from app.consumer.handlers.predict_remote import RemotePredictHandler
from app.models.endpoint import EndpointSpec
from app.models.record import TrainedSpec
from app.protocol.replies import Reply
from app.protocol.types import NDJSON_MEDIA_TYPE, JobStatus
from app.remote.client import RemoteModelClient
from tests.fuzz.properties import Raw, encode
from tests.integration.amqp.test_decoding import POISON
from tests.support.client import is_consumed
from tests.support.endpoints import Stranger
from tests.support.fakes import HandlerOf
from tests.support.rows import model_record
from tests.support.waiting import until
from tests.support.wire import Wire, close_connection

Q = INVOKE_QUEUE


@pytest.fixture
def peer():
    with Stranger() as server:
        yield server


class Handler:
    """Replies to each message with its body; `gate` keeps it, `seen` tells what it got."""

    def __init__(self, waits=False):
        self.seen = []
        self.calls = []
        self.gate = threading.Event()
        if not waits:
            self.gate.set()

    async def __call__(self, call):
        self.seen.append((call.body.decode(), call.redelivered))
        self.calls.append(call)
        while not self.gate.is_set():  # noqa: ASYNC110  a test opens it
            await asyncio.sleep(0.01)
        call.reply(Reply(JobStatus.COMPLETED, call.body.decode()))


@pytest.fixture
def handlers():
    """The handlers of remote models, by the names of their invokers."""
    return {}


@pytest.fixture
def start(settings, handlers):
    """Start invokers that end with the test."""
    invokers = []

    def run(handler=None, prefetch=10, name="invoker", queue=Q, peer=None, models=None, **changes):
        mine = settings.model_copy(
            update={"invoke_hosts": peer.host if peer else "", **changes},
        )
        endpoints = RemoteModelClient(mine)
        if handler:
            handler = HandlerOf(handler, queue, prefetch)
        else:
            handler = handlers[name] = RemotePredictHandler(Registry(models), endpoints, prefetch)
        invoker = AsyncConsumer(mine, name, endpoints, [handler])
        invokers.append(invoker)
        invoker.start()
        return invoker

    yield run
    for invoker in invokers:
        invoker.stop()
        invoker.give_up()
    for invoker in invokers:
        invoker.join(20)
        assert not invoker.is_alive()


class Registry:
    """Knows what a test says of each model: an endpoint, an error, or something that is trained."""

    def __init__(self, specs):
        self.specs = specs

    async def find(self, model_id, dataset_id):
        if model_id not in self.specs:
            raise errors.NotFound(None, f"there is no {model_id}")
        spec = self.specs[model_id]
        if isinstance(spec, Exception):
            raise spec
        return model_record(model_id, spec if isinstance(spec, EndpointSpec) else TrainedSpec())


def connected(invoker, before=None):
    """Wait until an invoker has a connection, and another one than before; return it."""

    def there():
        now = invoker.connection
        return now if now is not before and now and now.alive else None

    return until(there, "the invoker is connected")


def at(peer, path, **changes):
    return EndpointSpec(url=f"{peer.url}/{path}", **changes)


def ask_model(client, model_id, name="1", **properties):
    body = {"model_id": model_id, "input_data": {"a": 0.5}}
    client.ask(json.dumps(body), Q, correlation_id=name, **properties)


def test_a_message_is_handled_and_answered(start, client):
    start(Handler())
    client.ask(1, Q)
    assert client.reply() == ("1", {"status": "TASK_COMPLETED", "model_id": "1"})


def test_many_are_in_hand_and_each_is_acked_when_it_is_done(start, client):
    handler = Handler(waits=True)
    invoker = start(handler, prefetch=10)
    for number in range(15):
        client.ask(number, Q)
    until(lambda: len(handler.seen) == 10, "ten are in hand")
    assert client.depth(Q) == 5
    handler.gate.set()
    assert len(client.replies(15)) == 15
    invoker.stop()
    invoker.join(20)
    assert client.depth(Q) == 0


def test_large_messages_come_and_go_whole(start, client):
    start(Handler())
    body = "x" * 4_000_000
    client.ask(body, Q, correlation_id="large")
    assert client.reply() == ("large", {"status": "TASK_COMPLETED", "model_id": body})


def test_what_was_done_on_a_lost_connection_is_answered_on_the_next(start, client, wire):
    handler, other = Handler(waits=True), Handler(waits=True)
    invoker = start(handler, rabbitmq_port=wire.port)
    client.ask(1, Q)
    until(lambda: handler.seen, "it is at work")
    connected(start(other, name="other"))  # or the first might come back sooner, and take it
    lost = connected(invoker)
    wire.cut()
    until(lambda: other.seen == [("1", True)], "the other one has it, too")
    connected(invoker, lost)
    handler.gate.set()
    assert client.reply() == ("1", {"status": "TASK_COMPLETED", "model_id": "1"})
    other.gate.set()


def test_what_is_done_while_there_is_no_connection_is_answered_later(start, client, settings):
    handler = Handler(waits=True)
    with Wire(settings.rabbitmq_port) as first:
        invoker = start(handler, rabbitmq_port=first.port)
        client.ask(1, Q)
        until(lambda: handler.seen, "it is at work")
        lost = connected(invoker)
    until(lambda: not lost.alive, "the connection is lost")
    handler.gate.set()
    until(lambda: not invoker.in_flight, "it is done")
    with Wire(settings.rabbitmq_port, listen=first.port):
        assert client.reply()[0] == "1"
        invoker.stop()
        invoker.join(20)


def test_an_invoker_comes_back_after_each_of_many_losses(start, client, wire):
    start(Handler(), rabbitmq_port=wire.port)
    for number in range(5):
        client.ask(number, Q)
        while client.reply()[0] != str(number):
            pass  # the one before: its ack was cut off, so it came again
        wire.cut()


def test_an_invoker_comes_back_after_its_connection_is_closed(start, client, broker):
    start(Handler(), name="closed")
    client.ask(1, Q)
    client.reply()
    close_connection(broker, "closed")
    client.ask(2, Q)
    assert client.reply()[0] == "2"


def test_an_invoker_comes_back_after_its_queue_is_deleted(start, client):
    start(Handler())
    client.ask(1, Q)
    client.reply()
    client.channel.queue_delete(Q)
    until(lambda: is_consumed(client, Q), "the queue is back, with its consumer")
    client.ask(2, Q)
    assert client.reply()[0] == "2"


def test_an_invoker_comes_back_after_its_channel_is_closed(start, client):
    seen = []

    async def handle(message):
        seen.append((message.body, message.redelivered))
        if not message.redelivered and message.body == b"1":
            message.delivery_tag = 999  # the broker knows no such tag
        message.reply(Reply(JobStatus.COMPLETED))

    invoker = start(handle)
    client.ask(1, Q)
    until(lambda: len(seen) == 2, "the message is delivered again")
    client.ask(2, Q)
    until(lambda: len(seen) == 3, "the next message is handled")
    assert seen == [(b"1", False), (b"1", True), (b"2", False)]
    assert invoker.healthy


def test_an_invoker_waits_for_a_broker_that_is_away(start, client, settings):
    with Wire(settings.rabbitmq_port) as taken:
        port = taken.port
    invoker = start(Handler(), rabbitmq_port=port)
    client.ask(1, Q)
    with Wire(settings.rabbitmq_port, listen=port):
        assert client.reply()[0] == "1"
        invoker.stop()
        invoker.join(20)


def test_an_invoker_that_finds_no_broker_stops(start, settings):
    with Wire(settings.rabbitmq_port) as taken:
        port = taken.port
    invoker = start(Handler(), rabbitmq_port=port)
    invoker.stop()
    invoker.join(20)
    assert not invoker.is_alive()


def test_stop_finishes_what_is_in_hand_and_leaves_the_rest(start, client):
    handler = Handler(waits=True)
    invoker = start(handler, prefetch=2)
    for number in range(5):
        client.ask(number, Q)
    until(lambda: len(handler.seen) == 2, "two are in hand")
    invoker.stop()
    until(lambda: client.consumers(Q) == 0, "nothing more is taken")
    handler.gate.set()
    invoker.join(20)
    assert not invoker.is_alive()
    assert sorted(client.replies(2)) == ["0", "1"]
    until(lambda: client.depth(Q) == 3, "the others are in their queue")


def test_what_is_cancelled_when_the_time_is_over_goes_back(start, client):
    handler = Handler(waits=True)
    invoker = start(handler)
    client.ask(1, Q)
    until(lambda: handler.seen, "it is at work")
    invoker.stop()
    invoker.join(0.2)
    assert invoker.is_alive()
    invoker.give_up()
    invoker.join(20)
    assert not invoker.is_alive()
    until(lambda: client.depth(Q) == 1, "it is in its queue")


@pytest.mark.parametrize("queue", QUEUE_TYPES)
def test_no_reply_goes_into_a_queue_of_work_or_of_the_dead(start, client, queue):
    invoker = start(Handler())
    client.ask(1, Q, reply_to=queue)
    client.ask(2, Q)
    client.reply()
    invoker.stop()
    invoker.join(20)
    assert {each: client.depth(each) for each in QUEUE_TYPES} == dict.fromkeys(QUEUE_TYPES, 0)


def test_a_client_may_use_direct_reply_to(start, client):
    start(Handler())
    replies = []
    client.channel.basic_consume(
        "amq.rabbitmq.reply-to",
        lambda _, __, properties, body: replies.append((properties.correlation_id, body)),
        auto_ack=True,
    )
    client.ask(1, Q, reply_to="amq.rabbitmq.reply-to")
    until(lambda: client.connection.process_data_events(0.05) or replies, "a reply")
    ((correlation_id, body),) = replies
    assert correlation_id == "1"
    assert json.loads(body)["status"] == "TASK_COMPLETED"


@pytest.mark.parametrize("properties", POISON.values(), ids=POISON)
def test_poison_is_answered_once_and_the_next_is_too(properties, start, client):
    handler = Handler()
    invoker = start(handler)
    link = connected(invoker)
    client.channel.basic_publish("", Q, b"poison", Raw(encode(properties)))
    client.ask("good", Q)
    assert client.reply()[0] == "good"
    assert handler.seen == [("poison", False), ("good", False)]
    assert invoker.connection is link


def test_a_name_that_is_not_utf8_goes_back_as_it_came(start, client):
    start(Handler())
    raw = encode({"correlation_id": b"\xff\xfe", "reply_to": client.callback_queue.encode()})
    client.channel.basic_publish("", Q, b"1", Raw(raw))
    assert client.reply()[0] == b"\xff\xfe"


def test_a_timestamp_beyond_all_years_is_no_poison(start, client):
    handler = Handler()
    start(handler)
    named = {"timestamp": 2**62, "reply_to": client.callback_queue, "correlation_id": "late"}
    client.channel.basic_publish("", Q, b"1", pika.BasicProperties(**named))
    assert client.reply()[0] == "late"
    assert handler.seen == [("1", False)]


@pytest.mark.parametrize("nowhere", ["gone", "x" * 255, "amq.rabbitmq.reply-to.garbage"])
def test_a_reply_queue_that_is_not_there_does_no_harm(start, client, nowhere):
    handler = Handler()
    start(handler)
    client.ask(1, Q, reply_to=nowhere)
    client.ask(2, Q)
    assert client.reply()[0] == "2"
    assert sorted(handler.seen) == [("1", False), ("2", False)]


def test_a_handler_that_raises_loses_its_message_to_the_dead_letters(start, client, caplog):
    async def handle(call):
        if call.body == b"bug":
            raise KeyError("secret")
        call.reply(Reply(JobStatus.COMPLETED))

    invoker = start(handle)
    client.ask("bug", Q)
    client.ask("good", Q)
    replies = client.replies(2)
    assert replies["bug"]["error"]["type"] == "internal"
    assert "secret" not in str(replies["bug"])
    assert replies["good"]["status"] == "TASK_COMPLETED"
    until(lambda: client.depth(DEAD_LETTER_QUEUE) == 1, "the message is among the dead letters")
    assert "KeyError" in caplog.text
    assert invoker.healthy


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_an_invoker_whose_loop_is_gone_is_not_healthy(start, client):
    async def handle(call):
        raise SystemExit

    invoker = start(handle)
    until(lambda: invoker.healthy, "the invoker is healthy")
    client.ask(1, Q)
    until(lambda: not invoker.healthy, "the invoker is not healthy")


def test_a_remote_model_answers(start, client, peer):
    start(peer=peer, models={"m": at(peer, "ok")})
    ask_model(client, "m")
    _, reply = client.reply()
    assert reply == {"status": "TASK_COMPLETED", "model_id": "m", "prediction": 0.5}


def test_errors_are_told_and_a_model_of_another_kind_answers_elsewhere(start, client, peer):
    models = {"here": None, "away": errors.DatabaseUnavailable("away"), "bad": at(peer, "reset")}
    start(peer=peer, models=models)
    said = {}
    for model_id in ("here", "away", "bad", "nowhere"):
        ask_model(client, model_id, model_id)
    for name, reply in client.replies(4).items():
        said[name] = reply["error"]["type"]
        assert reply["model_id"] == name
    assert said == {
        "here": "elsewhere", "away": "database_unavailable", "bad": "endpoint_lost",
        "nowhere": "not_found",
    }  # fmt: skip


@pytest.mark.parametrize("body", ["[]", '{"model_id": "m"}', "{"])
def test_what_is_no_request_is_answered_and_goes_to_the_dead_letters(start, client, peer, body):
    start(peer=peer, models={})
    client.ask(body, Q)
    assert client.reply()[1]["error"]["type"] in ("invalid", "malformed")
    until(lambda: client.depth(DEAD_LETTER_QUEUE) == 1, "the message is among the dead letters")


def test_lines_are_refused(start, client, peer):
    start(peer=peer, models={})
    ask_model(client, "m", content_type=NDJSON_MEDIA_TYPE)
    assert "one request per message" in client.reply()[1]["error"]["detail"]


def test_the_deadline_of_the_caller_is_that_of_the_call(start, client, peer):
    connected(start(peer=peer, models={"m": at(peer, "hang")}))  # or it might expire in its queue
    ask_model(client, "m", expiration="3000")
    begun = monotonic()
    assert client.reply()[1]["error"]["type"] == "deadline_exceeded"
    assert monotonic() - begun < 30  # the model's own is 60


def test_a_call_of_a_job_is_logged_at_its_start_and_end(start, client, peer, caplog):
    caplog.set_level(logging.INFO)
    start(peer=peer, models={"m": at(peer, "ok")})
    body = {"model_id": "m", "input_data": {"a": 0.5}, "job_id": "j1"}
    client.ask(json.dumps(body), Q, correlation_id="1")
    client.reply()
    until(lambda: "END invoke model=m TASK_COMPLETED elapsed_ms=" in caplog.text, "the END")
    assert "START invoke model=m" in caplog.text


def test_a_call_under_way_is_not_made_again_when_its_connection_is_lost(
    start, client, wire, peer, handlers
):
    invoker = start(peer=peer, models={"m": at(peer, "held")}, rabbitmq_port=wire.port)
    ask_model(client, "m")
    until(lambda: peer.calls["held"] == 1, "the call is under way")
    lost = connected(invoker)
    wire.cut()
    connected(invoker, lost)
    in_flight = handlers["invoker"].in_flight
    until(lambda: all(each.redelivered for each in in_flight), "it has come again")
    peer.released.set()
    assert client.reply()[1]["prediction"] == 0.5
    invoker.stop()
    invoker.join(20)
    assert client.depth(Q) == 0
    assert client.depth(client.callback_queue) == 0
    assert peer.calls["held"] == 1


@pytest.mark.parametrize("idempotent", [True, False])
def test_a_call_that_a_lost_consumer_had_is_repeated_only_if_it_may_be(
    start, client, wire, peer, idempotent
):
    models = {"m": at(peer, "held", idempotent=idempotent)}
    with Wire(wire.port) as mine:
        start(peer=peer, models=models, rabbitmq_port=mine.port, name="lost")
        ask_model(client, "m")
        until(lambda: peer.calls["held"] == 1, "the call is under way")
        start(peer=peer, models=models, name="other")
        until(lambda: client.consumers(Q) == 2, "both consume")
    if idempotent:
        until(lambda: peer.calls["held"] == 2, "it is made again")
        peer.released.set()
        assert client.reply()[1]["prediction"] == 0.5
    else:
        error = client.reply()[1]["error"]
        assert error["type"] == "endpoint_failed"
        assert "may have been carried out" in error["detail"]
        assert peer.calls["held"] == 1


def test_stop_hands_back_what_waits_for_its_turn_as_if_it_had_never_come(
    start, client, peer, handlers
):
    models = {"m": at(peer, "held", limit=1)}
    invoker = start(peer=peer, models=models)
    ask_model(client, "m", "first")
    until(lambda: peer.calls["held"] == 1, "the first is under way")
    ask_model(client, "m", "second", expiration="60000")
    until(lambda: len(handlers["invoker"].in_flight) == 2, "the second waits")
    invoker.stop()
    until(lambda: client.depth(Q) == 1, "the second is in its queue")
    start(peer=peer, models=models, name="next")
    until(lambda: peer.calls["held"] == 2, "the next one makes the call")
    peer.released.set()
    answers = client.replies(2)
    assert {name: each["prediction"] for name, each in answers.items()} == {
        "first": 0.5, "second": 0.5,
    }  # fmt: skip


@pytest.mark.parametrize("idempotent", [True, False])
def test_when_the_time_is_over_a_call_goes_back_only_if_it_may_be_repeated(
    start, client, peer, idempotent
):
    invoker = start(peer=peer, models={"m": at(peer, "hang", idempotent=idempotent)})
    ask_model(client, "m")
    until(lambda: peer.calls["hang"] == 1, "the call is under way")
    invoker.stop()
    invoker.give_up()
    invoker.join(20)
    assert not invoker.is_alive()
    until(lambda: client.depth(Q) == int(idempotent), "it is in its queue only if it may be")
    if not idempotent:
        assert "may have been carried out" in client.reply()[1]["error"]["detail"]


def test_an_endpoint_that_hangs_keeps_no_other_from_answering(start, client, peer):
    models = {"hung": at(peer, "hang", limit=3), "m": at(peer, "ok")}
    start(peer=peer, models=models, prefetch=100)
    for number in range(10):
        ask_model(client, "hung", f"hung-{number}")
    for number in range(20):
        ask_model(client, "m", f"m-{number}")
    said = Counter()
    for _ in range(24):
        name, reply = client.reply()
        said[name[:1], (reply.get("error") or {}).get("type")] += 1
    assert said == {("h", "overloaded"): 4, ("m", None): 20}


def test_what_is_answered_while_the_broker_takes_nothing_arrives_when_it_does_again(
    start, client, broker
):
    handler = Handler(waits=True)
    invoker = start(handler)
    for number in range(20):
        client.ask(number, Q)
    until(lambda: len(handler.seen) == 10, "ten are in hand")
    link = connected(invoker)
    broker.ctl("set_vm_memory_high_watermark", "0.000001")
    try:
        handler.gate.set()
        until(lambda: not invoker.in_flight, "they are answered")
    finally:
        broker.ctl("set_vm_memory_high_watermark", "0.4")
    assert len(client.replies(20)) == 20
    assert [redelivered for _, redelivered in handler.seen] == [False] * 20
    assert invoker.connection is link
