"""Replies by direct reply-to, over a connection that may break.

A client names its queue in the request, and may name what it likes. RabbitMQ up to 3.13 closes the
whole connection of whoever publishes to an `amq.rabbitmq.reply-to.*` that it cannot decode, or
whose node is gone. Were it the connection that consumes, the request would come back for ever.
"""

import logging
from contextlib import suppress
from time import monotonic

import pika
from pika.adapters.blocking_connection import BlockingChannel
from pika.exceptions import AMQPError, ConnectionBlockedTimeout

from app.amqp.connection import connect, with_short_blocked_timeout

log = logging.getLogger(__name__)

DIRECT_REPLY_PREFIX = "amq.rabbitmq.reply-to"
PAUSE_SECONDS = 5.0


class DirectReplyPublisher:
    """Publishes with confirms, each call to its end; belongs to one thread."""

    def __init__(self, parameters: pika.ConnectionParameters) -> None:
        """Nothing is connected yet."""
        self._parameters = with_short_blocked_timeout(parameters)
        self._channel: BlockingChannel | None = None
        self._not_before = 0.0

    def send(self, queue: str, body: bytes, properties: pika.BasicProperties) -> None:
        """Publish a reply; one that ends the connection is dropped, and soon after so is each."""
        if monotonic() < self._not_before:
            return
        # A connection that is kept may have been lost since, through no fault of this reply.
        for fresh in (self._channel is None, True):
            try:
                if self._channel is None:
                    self._channel = connect(self._parameters).channel()
                    self._channel.confirm_delivery()
                self._channel.basic_publish("", queue, body, properties)
            except (AMQPError, OSError) as error:
                away = self._channel is None or isinstance(error, ConnectionBlockedTimeout)
                self.close()
                if away:  # work is not to wait for each reply anew
                    self._not_before = monotonic() + PAUSE_SECONDS
                if away or fresh:
                    log.warning("no reply is sent to %.80a: %r", queue, error)
                    return
            else:
                return

    def close(self) -> None:
        """Close the connection, if there is one."""
        if self._channel is not None:
            with suppress(AMQPError, OSError):
                self._channel.connection.close()
            self._channel = None
