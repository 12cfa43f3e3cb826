import json
import threading
from collections import Counter
from time import monotonic

import pytest

from app.amqp.connection import connection_parameters
from app.amqp.topology import (
    DEAD_LETTER_QUEUE,
    MAX_MESSAGE_BYTES,
    PREDICT_QUEUE,
    QUEUE_TYPES,
    TRAIN_QUEUE,
)
from app.consumer.handlers.predict import PredictHandler
from app.consumer.threaded_consumer import ThreadedConsumer
from app.consumer.worker_thread import BATCH_BYTES
from app.inference.cache import ModelCache
from app.protocol.replies import Predicted, Reply
from app.protocol.types import NDJSON_MEDIA_TYPE, JobStatus
from tests.support import frames
from tests.support.client import Client, is_consumed
from tests.support.fakes import HandlerOf
from tests.support.waiting import until
from tests.support.wire import Wire, close_connection


@pytest.fixture
def start(settings):
    """Start workers that end with the test."""
    workers = []

    def run(handle, queue=TRAIN_QUEUE, prefetch=1, name="worker", is_fast=None, **changes):
        parameters = connection_parameters(settings.model_copy(update=changes), name)
        handler = HandlerOf(handle, queue, prefetch, is_fast)
        worker = ThreadedConsumer(name, parameters, handler)
        workers.append(worker)
        worker.start()
        return worker

    yield run
    for worker in workers:
        worker.stop()
    for worker in workers:
        worker.join(20)
        assert not worker.is_alive()


class Handler:
    """Replies to each message with its body; `gate` keeps it, `seen` tells what it got."""

    def __init__(self, waits=False):
        self.seen = []
        self.batches = []
        self.gate = threading.Event()
        self.at_work = threading.Event()
        if not waits:
            self.gate.set()

    def __call__(self, deliveries):
        self.batches.append(len(deliveries))
        self.seen += [(each.body.decode(), each.redelivered) for each in deliveries]
        self.at_work.set()
        assert self.gate.wait(60)
        for each in deliveries:
            each.reply(Reply(JobStatus.COMPLETED, each.body.decode()))


def test_a_message_is_handled_and_answered(start, client):
    start(Handler())

    client.ask(1)

    assert client.reply() == ("1", {"status": "TASK_COMPLETED", "model_id": "1"})


def reconnected(worker, before):
    """Wait until a worker whose session is lost has a new one."""
    until(lambda: worker.session is not before and worker.session.alive, "the worker is back")


def test_a_message_is_not_acked_before_its_work_is_done(start, client, wire):
    handler = Handler(waits=True)
    start(handler, rabbitmq_port=wire.port)
    client.ask(1)
    assert handler.at_work.wait(20)

    wire.cut()
    until(lambda: client.depth(TRAIN_QUEUE) == 1, "the message is back in its queue")
    handler.gate.set()

    assert client.reply()[0] == "1"
    until(lambda: len(handler.seen) == 2, "the message has come again")
    assert handler.seen == [("1", False), ("1", True)]


def test_a_worker_whose_worker_thread_is_busy_leaves_what_it_lost_to_others(start, client, wire):
    handler, other = Handler(waits=True), Handler(waits=True)
    worker = start(handler, rabbitmq_port=wire.port)
    client.ask(1)
    assert handler.at_work.wait(20)
    start(other, name="other")
    lost = worker.session

    wire.cut()

    assert other.at_work.wait(20)
    reconnected(worker, lost)
    client.ask(2)  # for which no worker thread is free
    until(lambda: client.depth(TRAIN_QUEUE) == 1, "the second message waits")
    assert client.consumers(TRAIN_QUEUE) == 1
    handler.gate.set()
    until(lambda: len(handler.seen) == 2, "the worker thread takes the second message")
    assert client.consumers(TRAIN_QUEUE) == 2
    other.gate.set()
    until(lambda: client.depth(TRAIN_QUEUE) == 0, "both messages are done")
    assert handler.seen == [("1", False), ("2", False)]
    assert other.seen == [("1", True)]


def test_a_worker_whose_worker_thread_is_busy_outlasts_many_losses(start, client, wire):
    handler = Handler(waits=True)
    worker = start(handler, rabbitmq_port=wire.port)
    client.ask(1)
    assert handler.at_work.wait(20)

    for _ in range(3):
        lost = worker.session
        wire.cut()
        reconnected(worker, lost)
    handler.gate.set()

    assert client.reply()[0] == "1"
    until(lambda: client.consumers(TRAIN_QUEUE) == 1, "the worker consumes again")
    client.ask(2)
    assert "2" in client.replies(2)
    assert handler.seen == [("1", False), ("1", True), ("2", False)]


def test_a_message_is_acked_when_its_work_is_done(start, client):
    handler = Handler()
    start(handler, prefetch=1)

    # With a prefetch of one, the second comes when the first is acked.
    client.ask(1)
    client.ask(2)

    assert sorted(client.replies(2)) == ["1", "2"]
    assert handler.seen == [("1", False), ("2", False)]


def test_what_was_done_on_a_lost_connection_is_answered_on_the_next(start, client, wire):
    handler, other = Handler(waits=True), Handler(waits=True)
    worker = start(handler, rabbitmq_port=wire.port)
    client.ask(1)
    assert handler.at_work.wait(20)
    start(other, name="other")
    lost = worker.session
    wire.cut()
    reconnected(worker, lost)
    assert other.at_work.wait(20)

    handler.gate.set()

    assert client.reply() == ("1", {"status": "TASK_COMPLETED", "model_id": "1"})
    other.gate.set()


def test_what_waited_for_its_turn_on_a_lost_connection_is_handled_once(start, client, wire):
    handler = Handler(waits=True)
    worker = start(handler, PREDICT_QUEUE, prefetch=10, rabbitmq_port=wire.port)
    client.ask(0, PREDICT_QUEUE)
    assert handler.at_work.wait(20)
    for number in range(1, 5):
        client.ask(number, PREDICT_QUEUE)
    until(lambda: worker.worker.backlog == 4, "the others have arrived")
    lost = worker.session

    wire.cut()
    until(lambda: client.depth(PREDICT_QUEUE) == 5, "all of them are back in their queue")
    reconnected(worker, lost)
    handler.gate.set()

    # The one that was in hand is answered twice: it was done, and not acked.
    answered = Counter(client.reply()[0] for _ in range(6))
    assert answered == Counter({"0": 2, "1": 1, "2": 1, "3": 1, "4": 1})
    again = [(str(number), True) for number in range(5)]
    assert sorted(handler.seen) == sorted([("0", False), *again])


def test_a_worker_comes_back_after_its_connection_is_closed(start, client, broker):
    start(Handler(), name="closed")
    client.ask(1)
    client.reply()

    close_connection(broker, "closed")
    client.ask(2)

    assert client.reply()[0] == "2"


def test_a_worker_comes_back_after_each_of_many_losses(start, client, wire):
    start(Handler(), rabbitmq_port=wire.port)

    for number in range(5):
        client.ask(number)
        while client.reply()[0] != str(number):
            pass  # the one before: its ack was cut off, so it came again
        wire.cut()


def test_a_worker_waits_for_a_broker_that_is_away(start, client, settings):
    with Wire(settings.rabbitmq_port) as taken:
        port = taken.port
    handler = Handler()
    worker = start(handler, rabbitmq_port=port)
    client.ask(1)

    with Wire(settings.rabbitmq_port, listen=port):
        assert client.reply()[0] == "1"
        worker.stop()
        worker.join(20)


def test_a_worker_comes_back_after_its_queue_is_deleted(start, client):
    start(Handler())
    client.ask(1)
    client.reply()

    client.channel.queue_delete(TRAIN_QUEUE)
    until(lambda: is_consumed(client, TRAIN_QUEUE), "the queue is back, with its consumer")
    client.ask(2)

    assert client.reply()[0] == "2"


def test_a_worker_comes_back_after_its_channel_is_closed(start, client):
    seen = []

    def handle(deliveries):
        (delivery,) = deliveries
        if not seen:
            delivery.delivery_tag = 999  # the broker knows no such tag
        seen.append((delivery.body, delivery.redelivered))
        delivery.reply(Reply(JobStatus.COMPLETED))

    worker = start(handle)
    client.ask(1)
    until(lambda: len(seen) == 2, "the message is delivered again")
    client.ask(2)
    until(lambda: len(seen) == 3, "the next message is handled")

    assert seen == [(b"1", False), (b"1", True), (b"2", False)]
    assert worker.healthy


def test_stop_finishes_what_is_in_hand_and_leaves_the_rest(start, client):
    handler = Handler(waits=True)
    worker = start(handler)
    for number in range(3):
        client.ask(number)
    assert handler.at_work.wait(20)

    worker.stop()
    handler.gate.set()
    worker.join(20)

    assert not worker.is_alive()
    assert client.reply()[0] == "0"
    assert handler.seen == [("0", False)]
    until(lambda: client.depth(TRAIN_QUEUE) == 2, "the others are in their queue")


def test_stop_loses_nothing_of_what_has_arrived(start, client):
    handler = Handler(waits=True)
    worker = start(handler, PREDICT_QUEUE, prefetch=50)
    for number in range(100):
        client.ask(number, PREDICT_QUEUE)
    assert handler.at_work.wait(20)

    worker.stop()
    handler.gate.set()
    worker.join(20)

    answered = client.replies(len(handler.seen))
    assert sorted(answered) == sorted(body for body, _ in handler.seen)
    left = 100 - len(answered)
    until(lambda: client.depth(PREDICT_QUEUE) == left, "the others are in their queue")


def test_a_worker_that_has_nothing_to_do_stops(start, client):
    worker = start(Handler())
    until(lambda: client.consumers(TRAIN_QUEUE) == 1, "the worker consumes")

    worker.stop()
    worker.join(20)

    assert not worker.is_alive()


def test_a_worker_that_finds_no_broker_stops(start, settings):
    with Wire(settings.rabbitmq_port) as taken:
        port = taken.port
    worker = start(Handler(), rabbitmq_port=port)

    worker.stop()
    worker.join(20)

    assert not worker.is_alive()


def test_a_worker_stops_though_its_connection_is_lost_meanwhile(start, client, wire):
    handler = Handler(waits=True)
    worker = start(handler, rabbitmq_port=wire.port)
    client.ask(1)
    assert handler.at_work.wait(20)

    worker.stop()
    wire.cut()
    handler.gate.set()
    worker.join(20)

    assert not worker.is_alive()
    until(lambda: client.depth(TRAIN_QUEUE) == 1, "the message is back in its queue")


@pytest.mark.parametrize("queue", QUEUE_TYPES)
def test_no_reply_goes_into_a_queue_of_work_or_of_the_dead(start, client, queue):
    handler = Handler()
    worker = start(handler)
    client.ask(1, reply_to=queue)
    client.ask(2)
    client.reply()
    worker.stop()
    worker.join(20)

    assert {each: client.depth(each) for each in QUEUE_TYPES} == dict.fromkeys(QUEUE_TYPES, 0)
    assert handler.seen == [("1", False), ("2", False)]


def test_a_client_may_name_its_reply_queue(start, settings):
    client = Client(settings, callback_queue="my replies")
    start(Handler())

    client.ask(1)

    assert client.callback_queue == "my replies"
    assert client.reply()[0] == "1"
    client.connection.close()


def test_a_client_may_use_direct_reply_to(start, client):
    start(Handler())
    replies = []
    client.channel.basic_consume(
        "amq.rabbitmq.reply-to",
        lambda _, __, properties, body: replies.append((properties.correlation_id, body)),
        auto_ack=True,
    )

    client.ask(1, reply_to="amq.rabbitmq.reply-to")
    client.connection.process_data_events(0)
    until(
        lambda: client.connection.process_data_events(0.05) or replies,
        "a reply by the pseudo-queue",
    )

    ((correlation_id, body),) = replies
    assert correlation_id == "1"
    assert json.loads(body)["status"] == "TASK_COMPLETED"


@pytest.mark.parametrize(
    "nowhere", ["gone", "x" * 255, "amq.rabbitmq.reply-to.garbage", "amq.gen-gone", "\u00e4 b"]
)
def test_a_reply_queue_that_is_not_there_does_no_harm(start, client, nowhere):
    handler = Handler()
    worker = start(handler)

    client.ask(1, reply_to=nowhere)
    client.ask(2)

    assert client.reply()[0] == "2"
    worker.stop()
    worker.join(20)
    assert handler.seen == [("1", False), ("2", False)]


def test_a_message_without_any_property_is_handled(start, client):
    handler = Handler()
    start(handler)
    client.channel.basic_publish("", TRAIN_QUEUE, b"bare")
    client.ask(2)
    client.reply()

    assert handler.seen == [("bare", False), ("2", False)]


def test_a_reply_that_is_too_large_is_told_and_does_not_come_again(start, client):
    def handle(deliveries):
        for each in deliveries:
            each.reply(Predicted("m", prediction="x" * int(each.body)))

    start(handle)
    client.ask(MAX_MESSAGE_BYTES)
    client.ask(10)

    (_, large), (_, small) = client.reply(), client.reply()
    assert large["error"]["type"] == "too_large"
    assert small["prediction"] == "x" * 10


def test_a_reply_may_be_as_large_as_a_message(start, client):
    empty = len(Predicted("m", prediction="").encode())

    def handle(deliveries):
        for each in deliveries:
            each.reply(Predicted("m", prediction="x" * int(each.body)))

    start(handle)
    client.ask(MAX_MESSAGE_BYTES - empty)

    assert client.reply()[1]["status"] == "TASK_COMPLETED"


def test_a_handler_that_raises_loses_its_message_to_the_dead_letters_and_lives_on(start, client):
    def handle(deliveries):
        (delivery,) = deliveries
        if delivery.body == b"bug":
            raise KeyError("secret")
        delivery.reply(Reply(JobStatus.COMPLETED))

    worker = start(handle)
    client.ask("bug")
    client.ask("good")

    replies = client.replies(2)
    assert replies["bug"]["status"] == "TASK_ERROR"
    assert replies["bug"]["error"]["type"] == "internal"
    assert "secret" not in str(replies["bug"])
    assert replies["good"]["status"] == "TASK_COMPLETED"
    until(lambda: client.depth(DEAD_LETTER_QUEUE) == 1, "the message is among the dead letters")
    until(lambda: client.depth(TRAIN_QUEUE) == 0, "nothing is left of it")
    assert worker.healthy


def test_a_message_that_is_rejected_goes_to_the_dead_letters(start, client):
    def handle(deliveries):
        for each in deliveries:
            if each.body == b"poison":
                each.reject()
            each.reply(Reply(JobStatus.COMPLETED))

    start(handle, PREDICT_QUEUE, prefetch=10)
    for body in ("a", "poison", "b"):
        client.ask(body, PREDICT_QUEUE)
    client.replies(3)

    until(lambda: client.depth(DEAD_LETTER_QUEUE) == 1, "the message is among the dead letters")
    _, _, body = client.channel.basic_get(DEAD_LETTER_QUEUE, auto_ack=True)
    assert body == b"poison"


def test_a_message_that_is_handed_back_comes_again(start, client):
    seen = []

    def handle(deliveries):
        (delivery,) = deliveries
        seen.append(delivery.redelivered)
        if not delivery.redelivered:
            delivery.requeue()
        else:
            delivery.reply(Reply(JobStatus.COMPLETED))

    start(handle)
    client.ask(1)
    client.reply()

    assert seen == [False, True]


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_worker_whose_worker_thread_is_gone_is_not_healthy(start, client):
    def handle(deliveries):
        raise SystemExit

    worker = start(handle)
    until(lambda: worker.healthy, "the worker is healthy")
    client.ask(1)

    until(lambda: not worker.healthy, "the worker is not healthy")


def test_what_arrives_during_work_is_handled_together(start, client):
    handler = Handler(waits=True)
    worker = start(handler, PREDICT_QUEUE, prefetch=20)
    client.ask(0, PREDICT_QUEUE)
    assert handler.at_work.wait(20)
    for number in range(1, 10):
        client.ask(number, PREDICT_QUEUE)
    until(lambda: worker.worker.backlog == 9, "the messages have arrived")

    handler.gate.set()
    client.replies(10)

    assert handler.batches == [1, 9]


def test_a_batch_is_not_larger_than_the_prefetch(start, client):
    handler = Handler(waits=True)
    worker = start(handler, PREDICT_QUEUE, prefetch=5)
    for number in range(12):
        client.ask(number, PREDICT_QUEUE)
    assert handler.at_work.wait(20)
    taken = handler.batches[0]
    until(lambda: worker.worker.backlog == 5 - taken, "as many as the prefetch have arrived")
    assert client.depth(PREDICT_QUEUE) == 7

    handler.gate.set()
    client.replies(12)

    assert max(handler.batches) <= 5


def test_a_batch_takes_nothing_more_once_it_has_so_many_bytes(start, client):
    handler = Handler(waits=True)
    worker = start(handler, PREDICT_QUEUE, prefetch=20)
    client.ask(0, PREDICT_QUEUE)
    assert handler.at_work.wait(20)
    for number in range(1, 6):
        body = str(number) + "x" * (BATCH_BYTES * 2 // 5)
        client.ask(body, PREDICT_QUEUE, correlation_id=str(number))
    until(lambda: worker.worker.backlog == 5, "the messages have arrived")

    handler.gate.set()

    assert set(client.replies(6)) == set("012345")
    assert handler.batches == [1, 3, 2]


def test_a_message_tells_whether_it_has_lines_and_when_its_answer_is_of_no_use(start, client):
    seen = []

    def handle(deliveries):
        for each in deliveries:
            seen.append((each.is_ndjson, each.deadline))
            each.reply(Reply(JobStatus.COMPLETED))

    before = monotonic()
    start(handle)
    client.ask(1, content_type="application/json")
    client.ask(2, content_type=NDJSON_MEDIA_TYPE, expiration="60000")
    client.replies(2)

    plain, (lines, deadline) = seen
    assert plain == (False, None)
    assert lines
    assert before + 60 <= deadline <= monotonic() + 60


def test_a_message_is_handled_by_one_of_many_workers(start, client):
    handlers = [Handler() for _ in range(4)]
    for number, handler in enumerate(handlers):
        start(handler, PREDICT_QUEUE, prefetch=2, name=f"worker-{number}")
    until(lambda: client.consumers(PREDICT_QUEUE) == 4, "all workers consume")

    for number in range(100):
        client.ask(number, PREDICT_QUEUE)
    client.replies(100)

    seen = Counter(body for handler in handlers for body, _ in handler.seen)
    assert seen == Counter(str(number) for number in range(100))
    assert all(handler.seen for handler in handlers)


def test_the_heart_beats_while_a_handler_works(start, client):
    handler = Handler(waits=True)
    start(handler, rabbitmq_heartbeat=1)
    client.ask(1)
    assert handler.at_work.wait(20)

    # Two heartbeats that are missed, and the broker closes the connection.
    client.connection.sleep(4)
    handler.gate.set()

    assert client.reply()[0] == "1"
    assert handler.seen == [("1", False)]


class Shelf:
    """Loads models: "warm" at once, any other when the gate is open."""

    def __init__(self):
        self.loaded = []
        self.gate = threading.Event()
        self.begun = threading.Event()

    def __call__(self, model_id):
        self.loaded.append(model_id)
        if model_id != "warm":
            self.begun.set()
            assert self.gate.wait(60)
        model = frames.loaded(frames.file("numeric", "ridge"))
        model.manifest = model.manifest.model_copy(update={"model_id": model_id})
        return model


@pytest.fixture
def shelf():
    made = Shelf()
    yield made
    made.gate.set()


class Deferring:
    """Predicts, and tells which messages wait for their model."""

    def __init__(self, predict):
        self.predict = predict
        self.deferred = []

    def __call__(self, messages):
        deferred = self.predict(messages)
        for each in deferred:
            self.deferred += each.messages
        return deferred

    def waiting(self, session):
        """Return the messages that came by this session and are not settled."""
        return [each for each in self.deferred if each.deferred and each.channel is session]


@pytest.fixture(params=[True, False], ids=["fast", "worker"])
def predicting(start, shelf, request):
    """Start a consumer that predicts, by either of its threads; return it and its handler."""

    def run(**changes):
        cache = ModelCache(lambda model_id, isolated: shelf(model_id), max_bytes=10_000_000)
        predict = PredictHandler(cache.get, lambda *_: "warm")
        handler = Deferring(predict)
        is_fast = predict.is_fast if request.param else None
        return start(handler, PREDICT_QUEUE, prefetch=32, is_fast=is_fast, **changes), handler

    return run


def ask_model(client, model_id, name):
    body = {"model_id": model_id, "input_data": {"a": 0.5, "b": 1, "c": -2.0}}
    client.ask(json.dumps(body), PREDICT_QUEUE, correlation_id=name)


def settled_all(client, worker):
    """Stop a worker: what it has not acked goes back into its queue."""
    worker.stop()
    worker.join(20)
    assert not worker.is_alive()
    return client.depth(PREDICT_QUEUE) == client.depth(DEAD_LETTER_QUEUE) == 0


def test_predictions_do_not_wait_for_the_load_of_another_model(predicting, client, shelf):
    worker, _ = predicting()
    for number in range(3):
        ask_model(client, "cold", f"cold-{number}")
    assert shelf.begun.wait(20)

    for number in range(20):
        ask_model(client, "warm", f"warm-{number}")
    answered = client.replies(20)

    assert answered.keys() == {f"warm-{number}" for number in range(20)}
    assert {reply["status"] for reply in answered.values()} == {"TASK_COMPLETED"}
    ask_model(client, "cold", "cold-3")  # joins the others
    shelf.gate.set()
    answered = client.replies(4)
    assert answered.keys() == {f"cold-{number}" for number in range(4)}
    assert {reply["model_id"] for reply in answered.values()} == {"cold"}
    assert sorted(shelf.loaded) == ["cold", "warm"]
    assert settled_all(client, worker)


def test_what_waits_for_a_model_on_a_lost_connection_comes_again(predicting, client, shelf, wire):
    worker, handler = predicting(rabbitmq_port=wire.port)
    for number in range(3):
        ask_model(client, "cold", str(number))
    until(lambda: len(handler.waiting(worker.session)) == 3, "all of them wait")
    lost = worker.session

    wire.cut()
    reconnected(worker, lost)
    until(lambda: len(handler.waiting(worker.session)) == 3, "all of them wait again")
    shelf.gate.set()

    assert Counter(client.reply()[0] for _ in range(3)) == Counter("012")
    assert shelf.loaded == ["cold", "cold"]  # the second time for a process of its own
    assert settled_all(client, worker)
    assert client.depth(client.callback_queue) == 0  # no answer came twice


def test_stop_finishes_what_waits_for_a_model(predicting, client, shelf):
    worker, handler = predicting()
    for number in range(3):
        ask_model(client, "cold", str(number))
    until(lambda: len(handler.waiting(worker.session)) == 3, "all of them wait")

    worker.stop()
    until(lambda: client.consumers(PREDICT_QUEUE) == 0, "nothing more is taken")
    assert worker.healthy
    shelf.gate.set()

    assert client.replies(3).keys() == {"0", "1", "2"}
    assert settled_all(client, worker)
