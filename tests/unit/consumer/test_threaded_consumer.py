"""What is quick is handled by the connection's thread, and the rest by the hands."""

import threading

import pika
import pytest

from app.amqp.message import ChannelSession
from app.amqp.reply_publisher import DIRECT_REPLY_PREFIX
from app.consumer import threaded_consumer as module
from app.consumer.handlers.predict import SMALL_BYTES, is_fast
from app.consumer.threaded_consumer import ThreadedConsumer
from app.protocol.replies import Reply
from app.protocol.types import JobStatus
from tests.support.fakes import FakeChannel, FakeConnection, delivery


@pytest.fixture
def session():
    return ChannelSession(FakeConnection(), FakeChannel())


class Clock:
    """Time passes when a handler takes it."""

    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(module, "monotonic", clock)
    return clock


@pytest.fixture
def worker(clock):
    """One whose hands do nothing, so that its inbox shows what they were given."""

    def handle(deliveries):
        for each in deliveries:
            handle.seen.append((each.tag, threading.current_thread()))
            if each.body == b"slow":
                clock.now += 1.0
            each.reply(Reply(JobStatus.COMPLETED, "m"))

    handle.seen = []
    return ThreadedConsumer(
        "w", pika.ConnectionParameters(), "q", 32, handle, lambda d: d.body != b"long"
    )


def arrive(worker, session, *bodies):
    """Share out messages with these bodies; return the tags of those that the hands were given."""
    for body in bodies:
        tag = len(session.channel.settled) + worker._inbox.qsize() + len(worker._arrived) + 1
        session.came(tag)
        worker._arrived.append(delivery(body, session, tag=tag, outlet=lambda: session))
    worker._share_out(session)
    return [worker._inbox.get().tag for _ in range(worker._inbox.qsize())]


def test_what_is_quick_is_handled_and_settled_at_once(worker, session):
    assert arrive(worker, session, b"a", b"b") == []

    assert worker._handler.seen == [
        (1, threading.current_thread()),
        (2, threading.current_thread()),
    ]
    assert len(session.channel.replies) == 2
    assert session.channel.settled == [("ack", 2, True)]
    assert session.connection.callbacks == []  # nobody had to wake this thread


def test_what_has_come_before_is_left_to_the_hands(worker, session):
    worker._arrived.append(delivery(b"a", session, redelivered=True))

    worker._share_out(session)

    assert worker._handler.seen == []
    assert worker._inbox.qsize() == 1


def test_what_takes_longer_is_given_to_the_hands_and_not_acked_by_what_is_quick(worker, session):
    assert arrive(worker, session, b"a", b"long", b"b") == [2]

    assert [tag for tag, _ in worker._handler.seen] == [1, 3]
    assert session.channel.settled == [("ack", 1, False), ("ack", 3, False)]


def test_only_so_much_is_handled_at_once(worker, session, monkeypatch):
    monkeypatch.setattr(module, "FAST_BYTES", 3)

    assert arrive(worker, session, b"12", b"34", b"56") == [3]


def test_a_model_that_turns_out_to_be_slow_is_left_to_the_hands_for_a_while(worker, session, clock):
    assert arrive(worker, session, b"slow") == []
    assert arrive(worker, session, b"a") == [2]

    clock.now += module.SLOW_FOR_SECONDS
    assert arrive(worker, session, b"a") == []


@pytest.mark.parametrize(
    ("changes", "answer"),
    [
        ({}, True),
        ({"body": b"x" * SMALL_BYTES}, True),
        ({"body": b"x" * (SMALL_BYTES + 1)}, False),
        ({"body": b'{"model_id": "latest"}'}, False),
        ({"body": b'{"model_id": "\\u006catest"}'}, False),
        ({"reply_to": None}, True),
        ({"reply_to": f"{DIRECT_REPLY_PREFIX}.abc"}, False),
    ],
)
def test_a_prediction_is_quick_that_is_small_and_asks_nobody(changes, answer):
    assert is_fast(delivery(**{"body": b'{"model_id": "m"}', **changes})) is answer
