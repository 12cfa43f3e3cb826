import logging
import threading

import pika
import pytest
from pika.exceptions import AMQPConnectionError, ConnectionClosedByBroker

from app.amqp.outgoing_message import OutgoingMessage
from app.amqp.reply_publisher import DirectReplyPublisher
from tests.support.waiting import until

NAME = "amq.rabbitmq.reply-to.process.key"


class FakeBroker:
    """Connections that fail as a test wants it; what came through, by connection."""

    def __init__(self):
        self.connections = []
        self.failures = []
        self.served = threading.Event()

    def connect(self, parameters):
        self.fail("connect")
        connection = FakeConnection(self)
        self.connections.append(connection)
        return connection

    def fail(self, where):
        if self.failures and self.failures[0][0] == where:
            raise self.failures.pop(0)[1]


class FakeConnection:
    def __init__(self, broker):
        self.broker = broker
        self.connection = self
        self.published = []
        self.open = True

    def channel(self):
        return self

    def confirm_delivery(self):
        pass

    def basic_publish(self, exchange, queue, body, properties):
        self.broker.fail("publish")
        self.published.append((exchange, queue, body))

    def process_data_events(self, time_limit):
        self.broker.fail("serve")
        self.broker.served.set()

    def close(self):
        self.open = False


@pytest.fixture
def broker():
    return FakeBroker()


@pytest.fixture
def replies(broker):
    made = DirectReplyPublisher(pika.ConnectionParameters(), connect=broker.connect)
    yield made
    made.close()


def send(replies, body=b"1"):
    replies.publish(OutgoingMessage(NAME, body, "c1"))


CLOSED = ConnectionClosedByBroker(541, "INTERNAL_ERROR")


def test_nothing_is_connected_before_there_is_a_reply(broker, replies):
    assert not broker.connections


def test_one_connection_serves_all(broker, replies):
    send(replies, b"1")
    send(replies, b"2")

    (connection,) = broker.connections
    assert connection.published == [("", NAME, b"1"), ("", NAME, b"2")]


def test_a_connection_that_was_lost_meanwhile_is_made_anew(broker, replies):
    send(replies, b"1")
    broker.failures = [("publish", CLOSED)]

    send(replies, b"2")

    first, second = broker.connections
    assert not first.open
    assert second.published == [("", NAME, b"2")]


@pytest.mark.parametrize("before", [0, 1])
def test_a_reply_that_ends_a_new_connection_is_dropped(broker, replies, caplog, before):
    for _ in range(before):
        send(replies)
    broker.failures = [("publish", CLOSED)] * (before + 1)

    with caplog.at_level(logging.WARNING):
        send(replies, b"poison")

    assert not broker.failures
    assert NAME in caplog.text
    assert not any(connection.open for connection in broker.connections)


@pytest.mark.parametrize("error", [AMQPConnectionError("refused"), OSError("no such name")])
def test_while_the_broker_is_away_replies_are_dropped_for_a_while(broker, error):
    now = 100.0
    replies = DirectReplyPublisher(
        pika.ConnectionParameters(),
        connect=broker.connect,
        pause_seconds=3.0,
        clock=lambda: now,
    )
    broker.failures = [("connect", error)]

    send(replies, b"lost")
    now = 102.0
    send(replies, b"lost too, without an attempt")
    now = 103.0
    send(replies, b"sent")

    assert broker.connections[0].published == [("", NAME, b"sent")]


def test_the_events_of_a_connection_are_processed_without_a_reply(broker, replies):
    send(replies)

    assert broker.served.wait(20)


def test_a_connection_that_is_lost_between_replies_is_made_anew(broker, replies):
    broker.failures = [("serve", CLOSED)]
    send(replies, b"1")
    until(lambda: not broker.connections[0].open, "the loss is noticed")

    send(replies, b"2")

    assert broker.connections[1].published == [("", NAME, b"2")]


def test_closing_is_for_whoever_has_something_open(broker, replies):
    replies.close()
    send(replies)
    replies.close()
    replies.close()

    assert not broker.connections[0].open
