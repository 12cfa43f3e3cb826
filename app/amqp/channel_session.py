"""A pika channel through which other threads publish and settle messages."""

import logging
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

import pika
from pika.adapters.blocking_connection import BlockingChannel
from pika.exceptions import AMQPError

from app.amqp.message import MAX_UNSENT, Disposition, IncomingMessage, ReplyPublisher
from app.amqp.outgoing_message import OutgoingMessage
from app.amqp.pika_message import incoming_from_pika, pika_properties
from app.amqp.topology import ensure_topology

log = logging.getLogger(__name__)

MAX_UNSETTLED = 64  # a channel with more messages is crowded; half of the prefetch


class ChannelSession:
    """One channel, from opening to loss.

    A pika connection belongs to one thread. The actions of other threads wait until that thread
    flushes them.
    """

    def __init__(
        self,
        connection: pika.BlockingConnection,
        channel: BlockingChannel,
        max_unsettled: int = MAX_UNSETTLED,
    ) -> None:
        """Wrap a channel of `connection`, on the connection's thread."""
        self.connection = connection
        self.channel = channel
        self.cancelled = False
        self.unsent: deque[OutgoingMessage] = deque(maxlen=MAX_UNSENT)
        self._max_unsettled = max_unsettled
        self._outbox: deque[Callable[[], object]] = deque()
        self._scheduled = False
        self._unsettled: set[int] = set()

    @property
    def alive(self) -> bool:
        """Whether the broker still delivers messages here and accepts acks."""
        return bool(self.channel.is_open) and not self.cancelled

    @property
    def unsettled(self) -> int:
        """How many delivered messages the broker knows as unacknowledged."""
        return len(self._unsettled) if self.channel.is_open else 0

    @property
    def crowded(self) -> bool:
        """Whether too many messages are unsettled to defer another one."""
        return len(self._unsettled) > self._max_unsettled

    # Any thread may call these.

    def post(self, action: Callable[[], object]) -> None:
        """Call `action` soon on the connection's thread; drop it if the channel is lost.

        Nothing has to be settled after a loss, because the broker redelivers unacked messages.
        """
        if not self.channel.is_open:
            log.debug("the channel is lost: an action is dropped")
            return
        self._outbox.append(action)
        if not self._scheduled:
            self._scheduled = True
            try:
                self.connection.add_callback_threadsafe(self.flush)
            except AMQPError:
                log.debug("the connection is lost: an action is dropped")

    def publish(self, message: OutgoingMessage) -> None:
        """Publish a message soon; keep it in `unsent` for the next channel if this one is lost."""
        if self.channel.is_open:
            self.post(partial(self._publish, message))
        else:
            self.unsent.append(message)

    def settle(self, messages: Sequence[IncomingMessage]) -> None:
        """Ack, reject or requeue each message as its disposition says.

        One ack covers all where possible. Messages without a disposition are skipped.
        """
        pairs = [
            (each.delivery_tag, each.disposition)
            for each in messages
            if each.disposition is not None
        ]
        self.post(partial(self._settle, pairs))

    # Only the connection's thread may call these.

    def consume(
        self, queue: str, arrived: Callable[[IncomingMessage], object], replies: ReplyPublisher
    ) -> None:
        """Call `arrived` with each message; `replies` publishes the replies."""

        def deliver(_: object, method: Any, properties: pika.BasicProperties, body: bytes) -> None:
            self.note_delivery(method.delivery_tag)
            arrived(incoming_from_pika(queue, self, replies, method, properties, body))

        self.channel.basic_consume(queue, deliver)

    @property
    def consuming(self) -> bool:
        """Whether there is a consumer on the channel."""
        return bool(self.channel.consumer_tags)

    def note_delivery(self, delivery_tag: int) -> None:
        """Count a message as unsettled."""
        self._unsettled.add(delivery_tag)

    def cancel(self) -> None:
        """Cancel the consumers; messages that have arrived can still be settled."""
        for tag in self.channel.consumer_tags:
            self.channel.basic_cancel(tag)

    def process_events(self, seconds: float) -> None:
        """Wait up to `seconds` for connection events, and handle them. Raises pika's errors."""
        self.connection.process_data_events(time_limit=seconds)

    def flush(self) -> None:
        """Call all pending actions."""
        self._scheduled = False  # before the calls, so that a later post schedules another flush
        while self._outbox:
            self._outbox.popleft()()

    @contextmanager
    def gathered(self) -> Iterator[None]:
        """Flush the actions of this block together at its end, without a callback for each."""
        self._scheduled = True
        try:
            yield
        finally:
            self.flush()

    def _publish(self, message: OutgoingMessage) -> None:
        self.channel.basic_publish(
            message.exchange, message.queue, message.body, pika_properties(message)
        )

    def _settle(self, pairs: list[tuple[int, Disposition]]) -> None:
        """Reject and requeue one by one; ack the others with one frame if it covers only them."""
        self._unsettled.difference_update(tag for tag, _ in pairs)
        for tag, disposition in pairs:
            if disposition is not Disposition.ACK:
                self.channel.basic_nack(tag, requeue=disposition is Disposition.REQUEUE)
        acked = sorted(tag for tag, disposition in pairs if disposition is Disposition.ACK)
        at_once = not acked or min(self._unsettled, default=acked[-1]) >= acked[-1]
        for tag in acked[-1:] if at_once else acked:
            self.channel.basic_ack(tag, multiple=at_once)


def open_session(connection: pika.BlockingConnection, prefetch: int) -> ChannelSession:
    """Open a channel that gets `prefetch` messages at a time; declare the topology before.

    Raises `errors.BrokerUnavailable` if a part of it is missing and may not be declared.
    """
    ensure_topology(connection)
    channel = connection.channel()
    session = ChannelSession(connection, channel)
    channel.basic_qos(prefetch_count=prefetch)
    channel.add_on_cancel_callback(lambda _: setattr(session, "cancelled", True))
    return session
