"""A message in hand, and the session of the channel it came by."""

import functools
import logging
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto

import pika
from pika.adapters.blocking_connection import BlockingChannel
from pika.exceptions import AMQPError

from app import errors, messages, queues
from app.consumer.direct import PREFIX, DirectReplies
from app.messages import Reply, RequestT

log = logging.getLogger(__name__)


MAX_UNSENT = 1000  # replies that are kept while there is no connection


class Verdict(Enum):
    """What becomes of a message."""

    ACK = auto()
    REJECT = auto()
    REQUEUE = auto()


class Session:
    """One channel's life: what other threads ask of it waits in the outbox."""

    def __init__(self, connection: pika.BlockingConnection, channel: BlockingChannel) -> None:
        """Both belong to the thread that calls this."""
        self.connection = connection
        self.channel = channel
        self.cancelled = False
        self.unsent: deque[tuple[str, bytes, pika.BasicProperties]] = deque(maxlen=MAX_UNSENT)
        self._outbox: deque[Callable[[], object]] = deque()
        self._scheduled = False

    @property
    def alive(self) -> bool:
        """Whether the broker still delivers here, and takes acks."""
        return bool(self.channel.is_open) and not self.cancelled

    def post(self, action: Callable[[], object]) -> None:
        """Have the connection's thread do `action` soon; forget it if the channel is gone.

        After a loss the broker delivers again what was not acked, so nothing is owed here.
        """
        if not self.channel.is_open:
            log.debug("the channel is gone: an action is dropped")
            return
        self._outbox.append(action)
        if not self._scheduled:
            self._scheduled = True
            try:
                self.connection.add_callback_threadsafe(self.flush)
            except AMQPError:
                log.debug("the connection is gone: an action is dropped")

    def publish(self, queue: str, body: bytes, properties: pika.BasicProperties) -> None:
        """Send a reply soon; one that comes too late for this connection is kept for the next."""
        if self.channel.is_open:
            send = self.channel.basic_publish
            self.post(functools.partial(send, "", queue, body, properties))
        else:
            self.unsent.append((queue, body, properties))

    def flush(self) -> None:
        """Do everything in the outbox; called on the connection's thread only."""
        self._scheduled = False  # first: what is posted from here on schedules a flush of its own
        while self._outbox:
            self._outbox.popleft()()

    def settle(self, batch: list["Delivery"]) -> None:
        """Reject and requeue one by one, then ack the rest at once: all before it is settled."""
        for each in batch:
            if each.verdict is not Verdict.ACK:
                nack = functools.partial(self.channel.basic_nack, each.tag)
                self.post(functools.partial(nack, requeue=each.verdict is Verdict.REQUEUE))
        acked = [each.tag for each in batch if each.verdict is Verdict.ACK]
        if acked:
            self.post(functools.partial(self.channel.basic_ack, max(acked), multiple=True))


@dataclass
class Delivery:
    """A message in hand. A handler that returns has it acked, unless it chose otherwise."""

    body: bytes
    reply_to: str | None
    correlation_id: str | None  # or bytes, if it is not UTF-8; goes back as it came
    message_id: str | None
    redelivered: bool
    tag: int
    session: Session
    outlet: Callable[[], Session]  # by which replies leave: the connection may be a new one
    direct: DirectReplies | None = None  # by which those leave that may harm a connection
    verdict: Verdict = Verdict.ACK

    def decode(self, kind: type[RequestT]) -> RequestT | None:
        """Return the request; what is none is answered, and goes to the dead letters."""
        try:
            return messages.decode(kind, self.body)
        except errors.Invalid as error:
            self.refuse(error)
            return None

    def refuse(self, error: errors.WarrenError) -> None:
        """Answer with an error and send the message to the dead letters."""
        log.warning("a message is rejected: %s", error)
        self.reply(Reply.error(error))
        self.reject()

    def reply(self, reply: Reply) -> None:
        """Send a reply to whoever asked for one, but never into a queue of work."""
        if not self.reply_to:
            return
        if self.reply_to in queues.TYPES:
            log.warning("no reply is sent into %s", self.reply_to)
            return
        body = reply.encode()
        if len(body) > queues.MAX_MESSAGE_BYTES:
            reply = Reply.error(
                errors.TooLarge(f"the answer has {len(body)} bytes: ask for fewer rows at a time"),
                reply.model_id,
            )
            body = reply.encode()
        properties = pika.BasicProperties(
            content_type="application/json",
            correlation_id=self.correlation_id,
            type=reply.status,
        )
        if self.direct and self.reply_to.startswith(PREFIX):
            self.direct.send(self.reply_to, body, properties)
            return
        self.outlet().publish(self.reply_to, body, properties)

    def reject(self) -> None:
        """Send the message to the dead-letter queue: it can never be understood."""
        self.verdict = Verdict.REJECT

    def requeue(self) -> None:
        """Hand the message back unharmed, for another consumer."""
        self.verdict = Verdict.REQUEUE
