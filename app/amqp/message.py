"""A message in hand, and the session of the channel it came by."""

import functools
import logging
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum, auto
from time import monotonic
from typing import Any, Protocol, TypeGuard

import pika
from pika.adapters.blocking_connection import BlockingChannel
from pika.exceptions import AMQPError

from app import errors
from app.amqp.reply_publisher import DIRECT_REPLY_PREFIX, DirectReplyPublisher
from app.amqp.topology import MAX_MESSAGE_BYTES, QUEUE_TYPES
from app.protocol.replies import Reply
from app.protocol.types import JSON_MEDIA_TYPE, JobStatus
from app.protocol.validation import RequestT, parse_request

log = logging.getLogger(__name__)


MAX_HELD = 64  # messages; half of what the broker delivers at a time
MAX_UNSENT = 1000  # replies that are kept while there is no connection


class Disposition(Enum):
    """What becomes of a message."""

    ACK = auto()
    REJECT = auto()
    REQUEUE = auto()


class ChannelSession:
    """One channel's life: what other threads ask of it waits in the outbox."""

    def __init__(self, connection: pika.BlockingConnection, channel: BlockingChannel) -> None:
        """Both belong to the thread that calls this."""
        self.connection = connection
        self.channel = channel
        self.cancelled = False
        self.unsent: deque[tuple[str, bytes, pika.BasicProperties]] = deque(maxlen=MAX_UNSENT)
        self._outbox: deque[Callable[[], object]] = deque()
        self._scheduled = False
        self._unsettled: set[int] = set()

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

    @property
    def crowded(self) -> bool:
        """Whether so much is unsettled that nothing should be held which need not be."""
        return len(self._unsettled) > MAX_HELD

    @contextmanager
    def gathered(self) -> Iterator[None]:
        """Do at the end of the block what is asked in it; for the connection's thread only."""
        self._scheduled = True
        try:
            yield
        finally:
            self.flush()

    def came(self, tag: int) -> None:
        """Take note of a delivery; on the connection's thread only."""
        self._unsettled.add(tag)

    def settle(self, batch: list["IncomingMessage"]) -> None:
        """Ack, reject or requeue what the batch holds, each as its verdict says."""
        self.post(functools.partial(self._settle, [(each.tag, each.verdict) for each in batch]))

    def _settle(self, verdicts: list[tuple[int, Disposition]]) -> None:
        """Reject and requeue one by one, then ack the rest at once if that covers no other."""
        self._unsettled.difference_update(tag for tag, _ in verdicts)
        for tag, verdict in verdicts:
            if verdict is not Disposition.ACK:
                self.channel.basic_nack(tag, requeue=verdict is Disposition.REQUEUE)
        acked = sorted(tag for tag, verdict in verdicts if verdict is Disposition.ACK)
        at_once = not acked or min(self._unsettled, default=acked[-1]) >= acked[-1]
        for tag in acked[-1:] if at_once else acked:
            self.channel.basic_ack(tag, multiple=at_once)


class Asked(Protocol):
    """A request in hand."""

    body: bytes

    def reply(self, reply: Reply) -> None:
        """Send a reply to whoever asked for one."""

    def reject(self) -> None:
        """Send the message to the dead-letter queue: it can never be understood."""


class Replyable(Asked, Protocol):
    """A request in hand: a message, or one of those that share a message."""

    @property
    def delivery(self) -> "IncomingMessage":
        """Return the message."""


@dataclass(eq=False)
class IncomingMessage:
    """A message in hand. A handler that returns has it acked, unless it chose otherwise."""

    body: bytes
    reply_to: str | None
    correlation_id: str | None  # or bytes, if it is not UTF-8; goes back as it came
    message_id: str | None
    redelivered: bool
    tag: int
    session: ChannelSession
    outlet: Callable[[], ChannelSession]  # by which replies leave: the connection may be a new one
    direct: DirectReplyPublisher | None = None  # by which those leave that may harm a connection
    lines: bool = False  # whether it holds a request in each line
    deadline: float | None = None  # by the monotonic clock: later, nobody waits for the answer
    verdict: Disposition = Disposition.ACK
    holds: int = 0  # what is to be done `Deferred` before it is settled

    @property
    def delivery(self) -> "IncomingMessage":
        """Return the message itself."""
        return self

    @property
    def replies_directly(self) -> bool:
        """Whether its sender waits by direct reply-to."""
        return (self.reply_to or "").startswith(DIRECT_REPLY_PREFIX)

    def reply(self, reply: Reply) -> None:
        """Send a reply to whoever asked for one."""
        if self.reply_to:
            body, status = encode_reply(reply)
            self.send(body, JSON_MEDIA_TYPE, status)

    def send(self, body: bytes, content_type: str, status: JobStatus | None = None) -> None:
        """Send the body of a reply, or of many, but never into a queue of work."""
        if not may_reply_to(self.reply_to):
            return
        properties = pika.BasicProperties(
            content_type=content_type, correlation_id=self.correlation_id, type=status
        )
        if self.direct and self.replies_directly:
            self.direct.send(self.reply_to, body, properties)
            return
        self.outlet().publish(self.reply_to, body, properties)

    def reject(self) -> None:
        """Send the message to the dead-letter queue: it can never be understood."""
        self.verdict = Disposition.REJECT

    def requeue(self) -> None:
        """Hand the message back unharmed, for another consumer."""
        self.verdict = Disposition.REQUEUE


BatchHandler = Callable[[list[IncomingMessage]], "list[Deferred] | None"]


@dataclass(frozen=True, eq=False)
class Deferred:
    """What a handler leaves for later: `then`, when `until` is done.

    It is called with those of the deliveries whose connection still lives.
    """

    until: Future[Any]
    deliveries: list[IncomingMessage]  # each once
    then: BatchHandler


def parse_or_reject(part: Asked, kind: type[RequestT]) -> RequestT | None:
    """Return the request; what is none is answered, and goes to the dead letters."""
    try:
        return parse_request(kind, part.body)
    except errors.WarrenError as error:
        reject_with_error(part, error)
        return None


def reject_with_error(part: Asked, error: errors.WarrenError) -> None:
    """Answer with an error and send the message to the dead letters."""
    log.warning("a message is rejected: %s", error)
    part.reply(Reply.error(error))
    part.reject()


def may_reply_to(reply_to: str | None) -> TypeGuard[str]:
    """Tell whether a reply may be sent: somebody asked for one, and not into a queue of work."""
    if reply_to in QUEUE_TYPES:
        log.warning("no reply is sent into %s", reply_to)
        return False
    return bool(reply_to)


def deadline_of(expiration: object) -> float | None:
    """Return the moment by which a message's sender will have given up; milliseconds come in."""
    if isinstance(expiration, str) and expiration.isdecimal():
        return monotonic() + int(expiration) / 1000
    return None


def encode_reply(reply: Reply) -> tuple[bytes, JobStatus]:
    """Return the body and status of a reply, or of the error that it is too large to be sent."""
    body = reply.encode()
    if len(body) <= MAX_MESSAGE_BYTES:
        return body, reply.status
    detail = f"the answer has {len(body)} bytes: ask for fewer rows at a time"
    return Reply.error(errors.TooLarge(None, detail), reply.model_id).encode(), JobStatus.ERROR
