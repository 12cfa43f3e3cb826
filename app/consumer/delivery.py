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

from app import errors, messages, queues
from app.consumer.direct import PREFIX, DirectReplies
from app.messages import JSON, Reply, RequestT, Status

log = logging.getLogger(__name__)


MAX_HELD = 64  # messages; half of what the broker delivers at a time
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

    def settle(self, batch: list["Delivery"]) -> None:
        """Ack, reject or requeue what the batch holds, each as its verdict says."""
        self.post(functools.partial(self._settle, [(each.tag, each.verdict) for each in batch]))

    def _settle(self, verdicts: list[tuple[int, Verdict]]) -> None:
        """Reject and requeue one by one, then ack the rest at once if that covers no other."""
        self._unsettled.difference_update(tag for tag, _ in verdicts)
        for tag, verdict in verdicts:
            if verdict is not Verdict.ACK:
                self.channel.basic_nack(tag, requeue=verdict is Verdict.REQUEUE)
        acked = sorted(tag for tag, verdict in verdicts if verdict is Verdict.ACK)
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


class Part(Asked, Protocol):
    """A request in hand: a message, or one of those that share a message."""

    @property
    def delivery(self) -> "Delivery":
        """Return the message."""


@dataclass(eq=False)
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
    lines: bool = False  # whether it holds a request in each line
    deadline: float | None = None  # by the monotonic clock: later, nobody waits for the answer
    verdict: Verdict = Verdict.ACK
    holds: int = 0  # what is to be done `Later` before it is settled

    @property
    def delivery(self) -> "Delivery":
        """Return the message itself."""
        return self

    @property
    def replies_directly(self) -> bool:
        """Whether its sender waits by direct reply-to."""
        return (self.reply_to or "").startswith(PREFIX)

    def reply(self, reply: Reply) -> None:
        """Send a reply to whoever asked for one."""
        if self.reply_to:
            body, status = encode(reply)
            self.send(body, JSON, status)

    def send(self, body: bytes, content_type: str, status: Status | None = None) -> None:
        """Send the body of a reply, or of many, but never into a queue of work."""
        if not answerable(self.reply_to):
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
        self.verdict = Verdict.REJECT

    def requeue(self) -> None:
        """Hand the message back unharmed, for another consumer."""
        self.verdict = Verdict.REQUEUE


Handler = Callable[[list[Delivery]], "list[Later] | None"]


@dataclass(frozen=True, eq=False)
class Later:
    """What a handler leaves for later: `then`, when `until` is done.

    It is called with those of the deliveries whose connection still lives.
    """

    until: Future[Any]
    deliveries: list[Delivery]  # each once
    then: Handler


def decode(part: Asked, kind: type[RequestT]) -> RequestT | None:
    """Return the request; what is none is answered, and goes to the dead letters."""
    try:
        return messages.decode(kind, part.body)
    except errors.WarrenError as error:
        refuse(part, error)
        return None


def refuse(part: Asked, error: errors.WarrenError) -> None:
    """Answer with an error and send the message to the dead letters."""
    log.warning("a message is rejected: %s", error)
    part.reply(Reply.error(error))
    part.reject()


def answerable(reply_to: str | None) -> TypeGuard[str]:
    """Tell whether a reply may be sent: somebody asked for one, and not into a queue of work."""
    if reply_to in queues.TYPES:
        log.warning("no reply is sent into %s", reply_to)
        return False
    return bool(reply_to)


def deadline(expiration: object) -> float | None:
    """Return the moment by which a message's sender will have given up; milliseconds come in."""
    if isinstance(expiration, str) and expiration.isdecimal():
        return monotonic() + int(expiration) / 1000
    return None


def encode(reply: Reply) -> tuple[bytes, Status]:
    """Return the body and status of a reply, or of the error that it is too large to be sent."""
    body = reply.encode()
    if len(body) <= queues.MAX_MESSAGE_BYTES:
        return body, reply.status
    detail = f"the answer has {len(body)} bytes: ask for fewer rows at a time"
    return Reply.error(errors.TooLarge(detail), reply.model_id).encode(), Status.ERROR
