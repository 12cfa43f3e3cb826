"""The thread that handles messages, and the work that its handler defers."""

import gc
import threading
import weakref
from concurrent.futures import Future

import pytest

from app.amqp.channel_session import ChannelSession
from app.consumer.handlers import Deferred
from app.consumer.worker_thread import WorkerThread
from app.protocol.replies import Reply
from app.protocol.types import JobStatus
from tests.support.fakes import FakeChannel, FakeConnection, HandlerOf, delivery
from tests.support.waiting import until


@pytest.fixture
def session():
    return ChannelSession(FakeConnection(), FakeChannel())


@pytest.fixture
def start():
    """Start workers that end with the test."""
    workers = []

    def run(handler):
        worker = WorkerThread("worker", handler)
        workers.append(worker)
        worker.start()
        return worker

    yield run
    for worker in workers:
        worker.stop()
        worker.join(20)
        assert not worker.is_alive()


class Handler:
    """Replies to each message, at once or when `gates` has what its body names."""

    queue = "queue"
    prefetch = 10

    def __init__(self):
        self.gates = {}
        self.defer = None
        self.seen = []

    def is_fast(self, message):
        return False

    def __call__(self, messages):
        if self.defer:
            return self.defer(messages)
        later = []
        for each in messages:
            name = each.body.decode()
            if gate := self.gates.get(name):
                later.append(Deferred(gate, [each], self._reply))
            else:
                self._reply([each])
        return later

    def _reply(self, messages):
        for each in messages:
            self.seen.append((each.body.decode(), threading.current_thread().name))
            if each.body == b"bug":
                raise KeyError("secret")
            if each.body == b"poison":
                each.reject()
            each.reply(Reply(JobStatus.COMPLETED, each.body.decode()))


def put(worker, session, tag, name, **more):
    message = delivery(name.encode(), session, delivery_tag=tag, **more)
    session.note_delivery(tag)
    worker.put(message)
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


def test_what_is_done_already_is_not_left_for_later(session):
    handler = Handler()
    handler.gates["done"] = Future()
    handler.gates["done"].set_result(None)
    message = delivery(b"done", session, delivery_tag=1)
    session.note_delivery(1)

    WorkerThread("worker", handler).handle([message])  # it has not been started

    assert flushed(session) == [("ack", 1, True)]
    assert handler.seen == [("done", threading.current_thread().name)]


def test_a_message_that_is_left_for_later_twice_is_settled_once(start, session):
    gates = [Future(), Future()]
    handler = Handler()
    handler.defer = lambda messages: [Deferred(gate, messages, lambda _: None) for gate in gates]
    worker = start(handler)
    message = put(worker, session, 1, "cold")
    until(lambda: message.deferred == 2, "it is held")

    gates[1].set_result(None)
    until(lambda: message.deferred == 1, "one thing is done")
    assert flushed(session) == []
    gates[0].set_result(None)

    until(lambda: flushed(session), "it is settled")
    assert session.channel.settled == [("ack", 1, True)]


def test_what_was_left_for_later_on_a_lost_connection_is_dropped(start, session):
    handler = Handler()
    handler.gates["cold"] = Future()
    worker = start(handler)
    message = put(worker, session, 1, "cold")
    until(lambda: message.deferred, "it is held")
    session.channel.is_open = False

    handler.gates["cold"].set_result(None)

    until(lambda: not message.deferred, "it is let go")
    assert handler.seen == flushed(session) == []


def test_a_worker_that_stops_finishes_what_was_left_for_later(start, session):
    handler = Handler()
    handler.gates["cold"] = Future()
    worker = start(handler)
    message = put(worker, session, 1, "cold")
    until(lambda: message.deferred, "it is held")

    worker.stop()
    until(lambda: not worker.backlog, "it has been told")
    assert worker.is_alive()
    handler.gates["cold"].set_result(None)
    worker.join(20)

    assert flushed(session) == [("ack", 1, True)]


def test_a_model_does_not_keep_the_messages_that_waited_for_it(start, session):
    handler = Handler()
    handler.gates["cold"] = Future()
    worker = start(handler)
    watched = weakref.ref(put(worker, session, 1, "cold"))
    until(lambda: watched().deferred, "it is held")

    handler.gates["cold"].set_result(None)
    put(worker, session, 2, "warm")  # with which the thread lets go of the first

    def forgotten():
        gc.collect()
        return watched() is None

    until(forgotten, "the message is forgotten")
    assert handler.gates["cold"].done()


def test_a_batch_ends_with_an_encoded_message(session):
    """What it decodes to may be much larger, and a batch is decoded as a whole."""
    batches = []
    worker = WorkerThread("worker", HandlerOf(lambda batch: batches.append(len(batch)), prefetch=9))
    for tag, encoding in enumerate([None, "gzip", "gzip", None], 1):
        put(worker, session, tag, "1", encoding=encoding)
    worker.start()
    worker.stop()
    worker.join(20)

    assert batches == [2, 1, 1]
