"""A client of the queues, for tests of what consumes them."""

import json

import pika

from app.amqp.connection import connection_parameters
from app.amqp.topology import TRAIN_QUEUE, declare_topology
from tests.support.waiting import until


class Client:
    """A client after RabbitMQ's RPC tutorial."""

    def __init__(self, settings, callback_queue=""):
        self.connection = pika.BlockingConnection(connection_parameters(settings, "client"))
        self.channel = self.connection.channel()
        self.channel.confirm_delivery()
        declare_topology(self.channel)
        result = self.channel.queue_declare(callback_queue, exclusive=True)
        self.callback_queue = result.method.queue

    def ask(self, body, queue=TRAIN_QUEUE, **properties):
        wanted = {"reply_to": self.callback_queue, "correlation_id": str(body), **properties}
        self.channel.basic_publish(
            "", queue, str(body).encode(), pika.BasicProperties(**wanted), mandatory=True
        )

    def reply(self, queue=None):
        """Wait for a reply; return the correlation id and what it says."""
        _, properties, body = until(
            lambda: next((got for got in [self._get(queue)] if got[0]), None), "a reply"
        )
        return properties.correlation_id, json.loads(body)

    def replies(self, count):
        return dict(self.reply() for _ in range(count))

    def _get(self, queue):
        return self.channel.basic_get(queue or self.callback_queue, auto_ack=True)

    def depth(self, queue):
        return self.channel.queue_declare(queue, passive=True).method.message_count

    def consumers(self, queue):
        return self.channel.queue_declare(queue, passive=True).method.consumer_count


def is_consumed(client, queue):
    """Ask on a channel of its own: it is closed when there is no such queue."""
    channel = client.connection.channel()
    try:
        return channel.queue_declare(queue, passive=True).method.consumer_count
    except pika.exceptions.ChannelClosedByBroker:
        return 0
    finally:
        if channel.is_open:
            channel.close()
