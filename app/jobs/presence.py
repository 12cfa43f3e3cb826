"""The presence of consumers: each one holds an exclusive queue on the broker, named after itself.

The broker deletes the queue when the connection ends, at once if the process was killed. The
connection of a frozen process stays until its heartbeats are missed.
"""

import logging

from pika.adapters.blocking_connection import BlockingConnection
from pika.exceptions import ChannelClosedByBroker

from app.amqp.topology import PRESENCE_PREFIX

log = logging.getLogger(__name__)

_NOT_FOUND = 404  # any other refusal, such as 405 (locked), is of a queue that exists


def announce(connection: BlockingConnection, consumer: str) -> bool:
    """Declare the queue of a consumer on its connection; return whether the broker agreed.

    It does not while it holds an earlier connection of this consumer for alive.
    """
    channel = connection.channel()
    try:
        channel.queue_declare(_queue(consumer), exclusive=True)
    except ChannelClosedByBroker as error:
        log.warning("the consumer could not be announced: %s", error.reply_text)
        return False
    channel.close()
    return True


def is_present(connection: BlockingConnection, consumer: str) -> bool:
    """Tell whether the queue of a consumer exists; a channel of its own asks, and may be closed."""
    channel = connection.channel()
    try:
        channel.queue_declare(_queue(consumer), passive=True)
    except ChannelClosedByBroker as error:
        return error.reply_code != _NOT_FOUND
    channel.close()
    return True


def _queue(consumer: str) -> str:
    return f"{PRESENCE_PREFIX}{consumer}"
