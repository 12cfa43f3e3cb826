"""Publish replies by direct reply-to, on a separate connection.

A client chooses the reply queue of its request. RabbitMQ up to 3.13 closes the whole connection of
a publisher to an `amq.rabbitmq.reply-to.*` that it cannot decode, or whose node is gone. On the
consuming connection, that would requeue the request. Each redelivery would close the connection
again.
"""

import logging
import threading
from collections.abc import Callable
from contextlib import suppress
from time import monotonic

import pika
from pika.adapters.blocking_connection import BlockingChannel
from pika.exceptions import AMQPError, ConnectionBlockedTimeout

from app import errors
from app.amqp.connection import connect, with_short_blocked_timeout
from app.amqp.outgoing_message import OutgoingMessage
from app.amqp.pika_message import pika_properties
from app.amqp.tls import reason

log = logging.getLogger(__name__)

PAUSE_SECONDS = 5.0
SERVE_SECONDS = 0.5  # the shortest heartbeat interval is 1 s


class DirectReplyPublisher:
    """Publishes with confirms, one reply after the other.

    While it has a connection, a thread of its own answers the heartbeats.
    """

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
        self._lock = threading.Condition()  # held by the thread that uses the connection
        self._server: threading.Thread | None = None

    def publish(self, message: OutgoingMessage) -> None:
        """Publish a reply; drop it if it ends the connection.

        After the broker was unavailable, drops replies without an attempt for `pause_seconds`.
        """
        with self._lock:
            if self._clock() >= self._not_before:
                self._publish(message)

    def close(self) -> None:
        """Close the connection, if there is one."""
        with self._lock:
            self._disconnect()

    def _publish(self, message: OutgoingMessage) -> None:
        # Try a new connection, too, because the kept one may have been lost for another reason.
        for fresh in (self._channel is None, True):
            try:
                channel = self._channel or self._open()
                properties = pika_properties(message)
                channel.basic_publish("", message.queue, message.body, properties)
            except (AMQPError, OSError, errors.BrokerUnavailable) as error:
                away = self._channel is None or isinstance(error, ConnectionBlockedTimeout)
                self._disconnect()
                if away:  # because work would wait for the broker at each reply
                    self._not_before = self._clock() + self._pause_seconds
                if away or fresh:
                    log.warning("no reply is sent to %.80a: %s", message.queue, reason(error))
                    return
            else:
                return

    def _open(self) -> BlockingChannel:
        connection = self._connect(self._parameters)
        try:
            channel = connection.channel()
            channel.confirm_delivery()
        except (AMQPError, OSError):
            with suppress(AMQPError, OSError):
                connection.close()
            raise
        self._channel = channel
        if self._server is None:
            self._server = threading.Thread(target=self._serve, name="direct-replies", daemon=True)
            self._server.start()
        return channel

    def _disconnect(self) -> None:
        if self._channel is not None:
            with suppress(AMQPError, OSError):
                self._channel.connection.close()
            self._channel = None
            self._lock.notify_all()

    def _serve(self) -> None:
        """Process the connection's events until it is closed, also while there are no replies.

        Otherwise the broker misses the heartbeats and closes the connection.
        """
        with self._lock:
            try:
                while self._channel is not None:
                    self._channel.connection.process_data_events(0)
                    self._lock.wait(SERVE_SECONDS)
            except (AMQPError, OSError) as error:
                log.info("the connection for direct replies is lost: %r", error)
                self._disconnect()
            finally:
                self._server = None
