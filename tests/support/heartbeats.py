"""Wait for as long as the broker keeps a connection that is not served."""

import pika
import pytest
from pika.exceptions import AMQPError, ChannelClosedByBroker

from tests.support.waiting import until


def until_an_idle_connection_is_dropped(
    parameters: pika.ConnectionParameters, other: pika.BlockingConnection
) -> None:
    """Open a connection, answer none of its heartbeats, and wait until the broker drops it.

    `other` is a connection that asks for it.
    """
    idle = pika.BlockingConnection(parameters)
    queue = idle.channel().queue_declare("", exclusive=True).method.queue

    def dropped() -> bool:
        with pytest.raises(ChannelClosedByBroker) as closed:
            other.channel().queue_declare(queue, passive=True)
        return closed.value.reply_code == 404  # before, it is 405: another connection's

    until(dropped, "the idle connection is dropped")
    with pytest.raises(AMQPError):
        idle.sleep(5)
