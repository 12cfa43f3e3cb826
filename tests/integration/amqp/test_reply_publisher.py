import pika
import pytest
from pika.exceptions import AMQPError

from app.amqp.connection import connect, connection_parameters
from app.amqp.message import OutgoingMessage
from app.amqp.reply_publisher import DirectReplyPublisher
from tests.support.waiting import until

DIRECT = "amq.rabbitmq.reply-to"


@pytest.fixture
def parameters(settings):
    """Those of a connection that the broker drops after two seconds without a heartbeat."""
    return connection_parameters(settings.model_copy(update={"rabbitmq_heartbeat": 1}), "replies")


def until_an_idle_connection_is_dropped(parameters, client):
    """Wait until the broker has dropped a connection whose heartbeats nobody answers."""
    idle = connect(parameters)
    queue = idle.channel().queue_declare("", exclusive=True).method.queue

    def dropped():
        channel = client.connection.channel()
        with pytest.raises(pika.exceptions.ChannelClosedByBroker) as closed:
            channel.queue_declare(queue, passive=True)
        return closed.value.reply_code == 404  # before, it is 405: another connection's

    until(dropped, "the idle connection is dropped")
    with pytest.raises(AMQPError):  # it learns it by its first heartbeat
        idle.sleep(5)


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
    until_an_idle_connection_is_dropped(parameters, client)
    replies.publish(OutgoingMessage(properties.reply_to, b"2", "c"))

    until(lambda: client.connection.process_data_events(0.05) or len(received) == 2, "both replies")
    assert received == [b"1", b"2"]
    assert len(opened) == 1
    replies.close()
