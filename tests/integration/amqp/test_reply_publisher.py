import pytest

from app.amqp.connection import connect, connection_parameters
from app.amqp.outgoing_message import OutgoingMessage
from app.amqp.reply_publisher import DirectReplyPublisher
from tests.support.heartbeats import until_an_idle_connection_is_dropped
from tests.support.waiting import until

DIRECT = "amq.rabbitmq.reply-to"


@pytest.fixture
def parameters(settings):
    """Those of a connection that the broker drops after two seconds without a heartbeat."""
    return connection_parameters(settings.model_copy(update={"rabbitmq_heartbeat": 1}), "replies")


def test_a_connection_without_replies_outlives_the_heartbeats(parameters, client):
    received = []
    client.channel.basic_consume(
        DIRECT, lambda _, __, ___, body: received.append(body), auto_ack=True
    )
    asked = client.connection.channel().queue_declare("", exclusive=True).method.queue
    client.ask("who?", asked, reply_to=DIRECT)
    _, properties, _ = client.channel.basic_get(asked, auto_ack=True)
    opened = []

    def counted(parameters):
        opened.append(connect(parameters))
        return opened[-1]

    replies = DirectReplyPublisher(parameters, connect=counted)
    replies.publish(OutgoingMessage(properties.reply_to, b"1", "c"))
    until_an_idle_connection_is_dropped(parameters, client.connection)
    replies.publish(OutgoingMessage(properties.reply_to, b"2", "c"))

    until(lambda: client.connection.process_data_events(0.05) or len(received) == 2, "both replies")
    assert received == [b"1", b"2"]
    assert len(opened) == 1
    replies.close()
