"""Publish replies by direct reply-to, on a separate connection.

A client chooses the reply queue of its request. RabbitMQ up to 3.13 closes the whole connection of
a publisher to an `amq.rabbitmq.reply-to.*` that it cannot decode, or whose node is gone. On the
consuming connection, that would requeue the request. Each redelivery would close the connection
again.
"""

import logging
from collections.abc import Callable
from contextlib import suppress
from time import monotonic

import pika
from pika.adapters.blocking_connection import BlockingChannel
from pika.exceptions import AMQPError, ConnectionBlockedTimeout

from app.amqp.connection import connect, with_short_blocked_timeout
from app.amqp.message import OutgoingMessage
from app.amqp.pika_message import pika_properties

log = logging.getLogger(__name__)

PAUSE_SECONDS = 5.0


class DirectReplyPublisher:
    """Publishes with confirms, one reply after the other. It belongs to one thread."""

    def __init__(
        self,
        parameters: pika.ConnectionParameters,
        *,
        connect: Callable[[pika.ConnectionParameters], pika.BlockingConnection] = connect,
        pause_seconds: float = PAUSE_SECONDS,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        """Create the publisher without connecting."""
        self._parameters = with_short_blocked_timeout(parameters)
        self._connect = connect
        self._pause_seconds = pause_seconds
        self._clock = clock
        self._channel: BlockingChannel | None = None
        self._not_before = 0.0

    def publish(self, message: OutgoingMessage) -> None:
        """Publish a reply; drop it if it ends the connection.

        After the broker was unavailable, drops replies without an attempt for `pause_seconds`.
        """
        if self._clock() < self._not_before:
            return
        # Try a new connection, too, because the kept one may have been lost for another reason.
        for fresh in (self._channel is None, True):
            try:
                if self._channel is None:
                    self._channel = self._connect(self._parameters).channel()
                    self._channel.confirm_delivery()
                properties = pika_properties(message)
                self._channel.basic_publish("", message.queue, message.body, properties)
            except (AMQPError, OSError) as error:
                away = self._channel is None or isinstance(error, ConnectionBlockedTimeout)
                self.close()
                if away:  # because work would wait for the broker at each reply
                    self._not_before = self._clock() + self._pause_seconds
                if away or fresh:
                    log.warning("no reply is sent to %.80a: %r", message.queue, error)
                    return
            else:
                return

    def close(self) -> None:
        """Close the connection, if there is one."""
        if self._channel is not None:
            with suppress(AMQPError, OSError):
                self._channel.connection.close()
            self._channel = None
