import json
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pika.exceptions import ConnectionWrongStateError

from app.amqp.channel_session import ChannelSession
from app.amqp.message import Disposition
from app.protocol.replies import Reply
from app.protocol.types import JobStatus
from tests.support.fakes import FakeChannel, FakeConnection, delivery

PREDICTION = {"model_id": "m", "input_data": {"a": 1}}


@pytest.fixture
def connection():
    return FakeConnection()


@pytest.fixture
def session(connection):
    return ChannelSession(connection, FakeChannel())


def test_a_reply_that_finds_no_connection_is_kept_for_the_next():
    session = ChannelSession(FakeConnection(), FakeChannel())
    session.channel.is_open = False

    delivery(PREDICTION, session).reply(Reply(JobStatus.COMPLETED, "m"))

    (kept,) = session.unsent
    assert (kept.queue, kept.correlation_id) == ("callback", "c1")
    assert json.loads(kept.body)["status"] == "TASK_COMPLETED"
    assert session.channel.published == []


def test_a_message_is_settled_on_the_connection_it_came_by():
    old = ChannelSession(FakeConnection(), FakeChannel())
    new = ChannelSession(FakeConnection(), FakeChannel())
    message = delivery(PREDICTION, old, delivery_tag=7, replies=new)

    message.settle()
    old.flush()
    new.flush()

    assert old.channel.settled == [("ack", 7, True)]
    assert new.channel.settled == []


def settled(dispositions):
    session = ChannelSession(FakeConnection(), FakeChannel())
    session.settle(
        [
            delivery(PREDICTION, session, delivery_tag=tag, disposition=disposition)
            for tag, disposition in enumerate(dispositions, 1)
        ]
    )
    session.flush()
    return session.channel.settled


def test_a_batch_is_acked_at_once():
    assert settled([Disposition.ACK] * 5) == [("ack", 5, True)]


def test_what_is_rejected_or_requeued_is_settled_before_the_others_are_acked():
    dispositions = [
        Disposition.REJECT,
        Disposition.ACK,
        Disposition.REQUEUE,
        Disposition.ACK,
        Disposition.REJECT,
    ]

    assert settled(dispositions) == [
        ("reject", 1, False),
        ("requeue", 3, False),
        ("reject", 5, False),
        ("ack", 4, True),
    ]


def test_nothing_is_acked_when_nothing_is_done():
    assert settled([Disposition.REJECT, Disposition.REQUEUE]) == [
        ("reject", 1, False),
        ("requeue", 2, False),
    ]


def test_nothing_happens_before_the_connections_thread_comes_by(session, connection):
    done = []

    session.post(lambda: done.append(1))
    assert done == []

    connection.come_by()
    assert done == [1]


def test_the_connections_thread_is_called_once_for_many_actions(session, connection):
    done = []

    for number in range(10):
        session.post(lambda number=number: done.append(number))

    assert len(connection.callbacks) == 1
    connection.come_by()
    assert done == list(range(10))


def test_what_is_posted_later_calls_the_thread_again(session, connection):
    done = []
    session.post(lambda: done.append(1))
    connection.come_by()

    session.post(lambda: done.append(2))
    connection.come_by()

    assert done == [1, 2]


def test_nothing_that_is_posted_during_a_flush_is_forgotten(session, connection):
    done = []
    session.post(lambda: session.post(lambda: done.append(1)))

    connection.come_by()
    connection.come_by()

    assert done == [1]


def test_nothing_that_many_threads_post_is_forgotten(session, connection):
    done = []
    stopped = threading.Event()

    def post(number):
        for each in range(500):
            session.post(lambda each=each: done.append((number, each)))

    def pump():
        while not stopped.is_set():
            connection.come_by()

    pumping = threading.Thread(target=pump)
    pumping.start()
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(post, range(4)))
    stopped.set()
    pumping.join()
    connection.come_by()

    assert sorted(done) == [(number, each) for number in range(4) for each in range(500)]


def test_an_action_for_a_closed_channel_is_dropped(session, connection):
    session.channel.is_open = False

    session.post(lambda: pytest.fail("done"))

    connection.come_by()


def test_an_action_for_a_closed_connection_is_dropped():
    class Closed(FakeConnection):
        def add_callback_threadsafe(self, callback):
            raise ConnectionWrongStateError

    ChannelSession(Closed(), FakeChannel()).post(lambda: pytest.fail("done"))


def test_a_session_lives_while_its_channel_is_open_and_its_consumer_is_there(session):
    assert session.alive

    session.cancelled = True
    assert not session.alive

    session.cancelled = False
    session.channel.is_open = False
    assert not session.alive


def test_a_message_that_another_delivery_settles_is_left_out():
    assert settled([Disposition.ACK, None, Disposition.REJECT]) == [
        ("reject", 3, False),
        ("ack", 1, True),
    ]


def test_a_session_is_crowded_by_unsettled_messages(connection):
    session = ChannelSession(connection, FakeChannel(), max_unsettled=2)
    session.note_delivery(1)
    session.note_delivery(2)
    assert not session.crowded

    session.note_delivery(3)
    assert session.crowded

    session.settle([delivery({}, session, delivery_tag=1)])
    session.flush()
    assert not session.crowded


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
        for disposition, deferred in batch:
            tag += 1
            messages.append(
                delivery(
                    {}, session, delivery_tag=tag, disposition=disposition, deferred=int(deferred)
                )
            )
            broker.unacked.add(tag)
            session.note_delivery(tag)
        session.settle([each for each in messages if not each.deferred])
        session.flush()
        held += [each for each in messages if each.deferred]
        assert broker.unacked == {each.delivery_tag for each in held}
        if held:
            done = sorted(
                random.sample(held, random.randint(1, len(held))), key=lambda d: d.delivery_tag
            )
            for each in done:
                each.deferred = 0
                held.remove(each)
            session.settle(done)
            session.flush()
            assert broker.unacked == {each.delivery_tag for each in held}
