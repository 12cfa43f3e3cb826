"""Fast messages are handled by the connection's thread, the others by the worker thread."""

import threading

import pika
import pytest

from app.amqp.channel_session import ChannelSession
from app.amqp.outgoing_message import OutgoingMessage
from app.amqp.reply_to import DIRECT_REPLY_PREFIX
from app.consumer.threaded_consumer import SLOW_FOR_SECONDS, ThreadedConsumer
from app.protocol.replies import Reply
from app.protocol.types import JobStatus
from tests.support.fakes import FakeChannel, FakeConnection, delivery

# How many seconds a message takes, and how many of them the thread computes.
TAKES = {b"computes": (0.3, 0.3), b"waits": (1.0, 0.1), b"waits long": (6.0, 0.1)}


class Handler:
    """Records the tags that it handles; a message "slow" takes a second."""

    queue = "q"
    prefetch = 32

    def __init__(self):
        self.now, self.computed = 1000.0, 0.0
        self.seen = []

    def __call__(self, messages):
        for each in messages:
            self.seen.append((each.delivery_tag, threading.current_thread()))
            waited, computed = TAKES.get(each.body, (0.0, 0.0))
            self.now += waited
            self.computed += computed
            each.reply(Reply(JobStatus.COMPLETED, "m"))

    def is_fast(self, message):
        return message.body != b"long"

    def clock(self):
        return self.now

    def work(self):
        return self.computed


@pytest.fixture
def session():
    return ChannelSession(FakeConnection(), FakeChannel())


@pytest.fixture
def handler():
    return Handler()


@pytest.fixture
def consumer(handler):
    """A consumer that is not started, so that the worker thread's backlog stays."""
    parameters = pika.ConnectionParameters()
    return ThreadedConsumer(
        "w", parameters, handler, fast_bytes=10, clock=handler.clock, computed=handler.work
    )


def arrive(consumer, session, *bodies, first=1):
    """Dispatch messages with these bodies; return how many the worker thread is given."""
    before = consumer.worker.backlog
    messages = [delivery(body, session, delivery_tag=tag) for tag, body in enumerate(bodies, first)]
    for each in messages:
        session.note_delivery(each.delivery_tag)
    consumer.dispatch(session, messages)
    return consumer.worker.backlog - before


def test_fast_messages_are_handled_and_settled_at_once(consumer, handler, session):
    assert arrive(consumer, session, b"a", b"b") == 0

    assert handler.seen == [(1, threading.current_thread()), (2, threading.current_thread())]
    assert len(session.channel.replies) == 2
    assert session.channel.settled == [("ack", 2, True)]
    assert session.connection.callbacks == []  # no other thread had to wake this one


def test_redelivered_messages_are_left_to_the_worker_thread(consumer, handler, session):
    consumer.dispatch(session, [delivery(b"a", session, redelivered=True)])

    assert handler.seen == []
    assert consumer.worker.backlog == 1


def test_the_acks_of_fast_messages_do_not_cover_the_others(consumer, handler, session):
    assert arrive(consumer, session, b"a", b"long", b"b") == 1

    assert [tag for tag, _ in handler.seen] == [1, 3]
    assert session.channel.settled == [("ack", 1, False), ("ack", 3, False)]


def test_only_so_many_bytes_are_handled_at_once(consumer, handler, session):
    assert arrive(consumer, session, b"12345", b"67890", b"1") == 1

    assert [tag for tag, _ in handler.seen] == [1, 2]


@pytest.mark.parametrize("slow", [b"computes", b"waits long"])
def test_after_a_slow_batch_the_worker_thread_handles_all_for_a_while(
    consumer, handler, session, slow
):
    assert arrive(consumer, session, slow) == 0
    assert arrive(consumer, session, b"a", first=2) == 1

    handler.now += SLOW_FOR_SECONDS
    assert arrive(consumer, session, b"a", first=3) == 0


def test_a_batch_that_waits_for_a_busy_machine_is_not_slow(consumer, session):
    assert arrive(consumer, session, b"waits") == 0
    assert arrive(consumer, session, b"a", first=2) == 0


def test_replies_leave_by_the_newest_connection(consumer, session):
    reply = OutgoingMessage("callback", b"1", "c1")
    newest = ChannelSession(FakeConnection(), FakeChannel())
    for consumer.session in (session, newest):
        consumer.publish(reply)
        consumer.session.flush()

    assert len(session.channel.published) == len(newest.channel.published) == 1


def test_replies_by_direct_reply_to_do_not_use_the_consuming_connection(handler, session):
    direct = []

    class Publisher:
        def publish(self, message):
            direct.append(message)

        def close(self):
            pass

    consumer = ThreadedConsumer(
        "w", pika.ConnectionParameters(), handler, direct_replies=Publisher()
    )
    consumer.session = session
    reply = OutgoingMessage(f"{DIRECT_REPLY_PREFIX}.key", b"1", "c1")
    consumer.publish(reply)
    session.flush()

    assert direct == [reply]
    assert session.channel.published == []
