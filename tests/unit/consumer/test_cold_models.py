"""Predictions for models that are not loaded, and the messages that are held for them."""

import gc
import threading
import weakref
from concurrent.futures import Future
from time import monotonic

import pika
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app import errors
from app.amqp.message import MAX_HELD, ChannelSession, Deferred, Disposition
from app.consumer.handlers.predict import PredictHandler
from app.consumer.threaded_consumer import ThreadedConsumer
from app.inference.trained_model import TrainedModel
from app.protocol.replies import Reply
from app.protocol.types import JobStatus
from tests.support import frames
from tests.support.fakes import FakeChannel, FakeConnection, delivery
from tests.support.waiting import until

ROW = {"a": 0.5, "b": 1, "c": -2.0}


class Models:
    """`warm` is loaded; what else is asked for is so when a test says so."""

    def __init__(self):
        self.found = {}
        self.loaded("warm")

    def find(self, name):
        return self.found.setdefault(name, Future())

    def loaded(self, name):
        model = Counted(frames.file("numeric", "ridge"))
        model.manifest = model.manifest.model_copy(update={"model_id": name})
        self.find(name).set_result(model)

    def failed(self, name, error):
        self.find(name).set_exception(error)


class Counted(TrainedModel):
    """`runs` counts the rows of each run."""

    def predict(self, rows):
        self.runs = [*getattr(self, "runs", []), len(rows)]
        return super().predict(rows)


@pytest.fixture
def models():
    return Models()


@pytest.fixture
def predict(models):
    return PredictHandler(models.find, lambda _: "warm")


def asks(*model_ids, **changes):
    """A message that asks one model, or one with a line for each."""
    bodies = [{"model_id": model_id, "input_data": ROW} for model_id in model_ids]
    if len(bodies) == 1:
        return delivery(bodies[0], **changes)
    lines = b"\n".join(delivery(body).body for body in bodies)
    return delivery(lines, lines=True, **changes)


def statuses(message):
    """The status in each line of the only reply."""
    (reply,) = [body for _, _, body, _ in message.session.channel.published]
    return [Reply.decode(line).status for line in reply.split(b"\n")]


def resume(later):
    return later.then(later.deliveries)


def test_what_asks_a_loaded_model_does_not_wait_for_what_asks_another(predict, models):
    cold, warm, also_cold = asks("cold"), asks("warm"), asks("cold")

    (later,) = predict([cold, warm, also_cold])

    assert statuses(warm) == [JobStatus.COMPLETED]
    assert cold.session.channel.published == also_cold.session.channel.published == []
    assert later.deliveries == [cold, also_cold]
    assert later.until is models.find("cold")


def test_when_many_messages_wait_others_are_refused_at_once(predict):
    message = asks("cold")
    message.session.crowded = True

    assert predict([message]) == []

    (reply,) = message.session.channel.replies
    assert reply["error"]["type"] == "unavailable"
    assert message.verdict is Disposition.ACK


def test_a_session_is_crowded_by_what_is_not_settled(session):
    for tag in range(1, MAX_HELD + 1):
        session.came(tag)
    assert not session.crowded

    session.came(MAX_HELD + 1)
    assert session.crowded
    session.settle([delivery({}, session, tag=1)])
    session.flush()
    assert not session.crowded


def test_what_waited_for_a_model_is_answered_in_one_run(predict, models):
    messages = [asks("cold") for _ in range(5)]
    (later,) = predict(messages)
    models.loaded("cold")

    assert not resume(later)

    assert [statuses(message) for message in messages] == [[JobStatus.COMPLETED]] * 5
    assert models.find("cold").result().runs == [5]


def test_each_model_is_waited_for_alone(predict, models):
    first, second = asks("cold"), asks("colder")

    (of_first, of_second) = predict([first, second])

    models.loaded("colder")
    resume(of_second)
    assert statuses(second) == [JobStatus.COMPLETED]
    models.loaded("cold")
    resume(of_first)
    assert statuses(first) == [JobStatus.COMPLETED]


def test_a_message_whose_lines_ask_many_models_is_answered_with_the_last(predict, models):
    message = asks("cold", "warm", "colder", "cold")

    (of_cold, of_colder) = predict([message])

    assert of_cold.deliveries == of_colder.deliveries == [message]
    models.failed("colder", errors.NotFound(None, "there is none"))
    resume(of_colder)
    assert message.session.channel.published == []
    models.loaded("cold")
    resume(of_cold)
    assert statuses(message) == [
        JobStatus.COMPLETED,
        JobStatus.COMPLETED,
        JobStatus.ERROR,
        JobStatus.COMPLETED,
    ]


def test_what_came_too_late_is_not_answered(predict, models):
    expired, awaited = asks("cold"), asks("cold", deadline=monotonic() + 60)
    (later,) = predict([expired, awaited])
    expired.deadline = monotonic()
    models.loaded("cold")

    resume(later)

    assert expired.session.channel.published == []
    assert statuses(awaited) == [JobStatus.COMPLETED]
    assert models.find("cold").result().runs == [1]


def test_what_another_consumer_has_been_given_is_not_answered(predict, models):
    lost, kept = asks("cold"), asks("cold")
    (later,) = predict([lost, kept])
    models.loaded("cold")

    later.then([kept])

    assert lost.session.channel.published == []
    assert statuses(kept) == [JobStatus.COMPLETED]


def test_an_error_reaches_all_that_waited_for_the_model(predict, models):
    messages = [asks("cold"), asks("cold")]
    (later,) = predict(messages)
    models.failed("cold", errors.StorageUnavailable())

    resume(later)

    for message in messages:
        (reply,) = message.session.channel.replies
        assert reply["error"]["type"] == "storage_unavailable"
        assert reply["model_id"] == "cold"
        assert message.verdict is Disposition.ACK


def test_a_bug_with_a_model_is_told_and_goes_to_the_dead_letters(predict, models):
    message = asks("cold")
    (later,) = predict([message])
    models.failed("cold", KeyError("secret"))

    resume(later)

    (reply,) = message.session.channel.replies
    assert reply["error"]["type"] == "internal"
    assert message.verdict is Disposition.REJECT


def test_an_error_that_is_remembered_does_not_keep_what_was_asked(predict, models):
    models.failed("cold", errors.StorageUnavailable())
    message = asks("cold")
    predict([message])
    assert statuses(message) == [JobStatus.ERROR]

    watched = weakref.ref(message)
    del message

    gc.collect()
    assert watched() is None


# The worker


@pytest.fixture
def session():
    return ChannelSession(FakeConnection(), FakeChannel())


@pytest.fixture
def start():
    """Let the hands of a worker handle what is put into its inbox."""
    workers = []

    def run(handler):
        worker = ThreadedConsumer("worker", pika.ConnectionParameters(), "queue", 10, handler)
        workers.append(worker)
        worker._hands.start()
        return worker

    yield run
    for worker in workers:
        worker.stop()
        worker._hands.join(20)
        assert not worker._hands.is_alive()


class Handler:
    """Replies to each message, at once or when `gates` has what its body names."""

    def __init__(self):
        self.gates = {}
        self.seen = []

    def __call__(self, deliveries):
        later = []
        for each in deliveries:
            name = each.body.decode()
            if gate := self.gates.get(name):
                later.append(Deferred(gate, [each], self._reply))
            else:
                self._reply([each])
        return later

    def _reply(self, deliveries):
        for each in deliveries:
            self.seen.append((each.body.decode(), threading.current_thread().name))
            if each.body == b"bug":
                raise KeyError("secret")
            if each.body == b"poison":
                each.reject()
            each.reply(Reply(JobStatus.COMPLETED, each.body.decode()))


def put(worker, session, tag, name):
    message = delivery(name.encode(), session, tag=tag)
    session.came(tag)
    worker._inbox.put(message)
    return message


def flushed(session):
    session.flush()
    return session.channel.settled


def test_a_message_is_acked_when_what_was_left_for_later_is_done(start, session):
    handler = Handler()
    handler.gates["cold"] = Future()
    worker = start(handler)
    put(worker, session, 1, "cold")
    put(worker, session, 2, "warm")
    until(lambda: flushed(session), "the second is acked")
    assert session.channel.settled == [("ack", 2, False)]

    handler.gates["cold"].set_result(None)

    until(lambda: len(flushed(session)) == 2, "the first is acked")
    assert session.channel.settled[1:] == [("ack", 1, True)]
    assert handler.seen == [("warm", "worker"), ("cold", "worker")]  # by the worker's own thread
    put(worker, session, 3, "warm")
    until(lambda: len(flushed(session)) == 3, "the third is acked")
    assert session.channel.settled[2:] == [("ack", 3, True)]


def test_a_message_is_rejected_when_what_was_left_for_later_is_done(start, session):
    handler = Handler()
    handler.gates["poison"] = handler.gates["bug"] = Future()
    worker = start(handler)
    put(worker, session, 1, "poison")
    put(worker, session, 2, "bug")
    put(worker, session, 3, "warm")
    until(lambda: flushed(session), "the third is acked")

    handler.gates["bug"].set_result(None)

    until(lambda: len(flushed(session)) == 3, "the others are rejected")
    assert session.channel.settled[1:] == [("reject", 1, False), ("reject", 2, False)]


def test_a_message_that_is_left_for_later_twice_is_settled_once(start, session):
    gates = [Future(), Future()]
    worker = start(
        lambda deliveries: [Deferred(gate, deliveries, lambda _: None) for gate in gates]
    )
    message = put(worker, session, 1, "cold")
    until(lambda: message.holds == 2, "it is held")

    gates[1].set_result(None)
    until(lambda: message.holds == 1, "one thing is done")
    assert flushed(session) == []
    gates[0].set_result(None)

    until(lambda: flushed(session), "it is settled")
    assert session.channel.settled == [("ack", 1, True)]


def test_what_was_left_for_later_on_a_lost_connection_is_dropped(start, session):
    handler = Handler()
    handler.gates["cold"] = Future()
    worker = start(handler)
    message = put(worker, session, 1, "cold")
    until(lambda: message.holds, "it is held")
    session.channel.is_open = False

    handler.gates["cold"].set_result(None)

    until(lambda: not message.holds, "it is let go")
    assert handler.seen == flushed(session) == []


def test_a_worker_that_stops_finishes_what_was_left_for_later(start, session):
    handler = Handler()
    handler.gates["cold"] = Future()
    worker = start(handler)
    message = put(worker, session, 1, "cold")
    until(lambda: message.holds, "it is held")

    worker.stop()
    until(worker._inbox.empty, "it has been told")
    assert worker._hands.is_alive()
    handler.gates["cold"].set_result(None)
    worker._hands.join(20)

    assert flushed(session) == [("ack", 1, True)]


def test_a_model_does_not_keep_the_messages_that_waited_for_it(start, session):
    handler = Handler()
    handler.gates["cold"] = Future()
    worker = start(handler)
    watched = weakref.ref(put(worker, session, 1, "cold"))
    until(lambda: watched().holds, "it is held")

    handler.gates["cold"].set_result(None)
    put(worker, session, 2, "warm")  # with which the hands let go of the first

    def forgotten():
        gc.collect()
        return watched() is None

    until(forgotten, "the message is forgotten")
    assert handler.gates["cold"].done()


class Broker(FakeChannel):
    """Knows which tags are unacked, as the broker does."""

    def __init__(self):
        super().__init__()
        self.unacked = set()

    def basic_ack(self, tag, multiple=False):
        assert tag in self.unacked
        self.unacked -= {each for each in self.unacked if each <= tag} if multiple else {tag}

    def basic_nack(self, tag, requeue=True):
        self.unacked.remove(tag)


MESSAGE = st.tuples(st.sampled_from(Disposition), st.booleans())


@given(st.lists(st.lists(MESSAGE, min_size=1)), st.randoms())
def test_what_is_held_and_nothing_else_is_unacked(batches, random):
    broker, tag = Broker(), 0
    session = ChannelSession(FakeConnection(), broker)
    held = []
    for batch in batches:
        messages = []
        for verdict, holds in batch:
            tag += 1
            messages.append(delivery({}, session, tag=tag, verdict=verdict, holds=int(holds)))
            broker.unacked.add(tag)
            session.came(tag)
        session.settle([each for each in messages if not each.holds])
        session.flush()
        held += [each for each in messages if each.holds]
        assert broker.unacked == {each.tag for each in held}
        if held:
            done = sorted(random.sample(held, random.randint(1, len(held))), key=lambda d: d.tag)
            for each in done:
                each.holds = 0
                held.remove(each)
            session.settle(done)
            session.flush()
            assert broker.unacked == {each.tag for each in held}
