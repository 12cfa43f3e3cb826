"""AMQP messages as handlers see them, independent of the client library."""

import logging
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from enum import Enum, auto
from time import monotonic
from typing import Protocol, TypeGuard

from app import errors
from app.amqp.body_encoding import decode_body
from app.amqp.topology import MAX_MESSAGE_BYTES, QUEUE_TYPES
from app.protocol.replies import Failed, Reply
from app.protocol.types import JSON_MEDIA_TYPE, NDJSON_MEDIA_TYPE, JobStatus
from app.protocol.validation import RequestT, parse_request

log = logging.getLogger(__name__)

MAX_UNSENT = 1000  # replies that are kept while there is no connection
DIRECT_REPLY_PREFIX = "amq.rabbitmq.reply-to"


class Disposition(Enum):
    """How a message is settled."""

    ACK = auto()
    REJECT = auto()
    REQUEUE = auto()


@dataclass(slots=True)
class OutgoingMessage:
    """A message to publish to the default exchange."""

    queue: str
    body: bytes
    correlation_id: str | None
    content_type: str | None = JSON_MEDIA_TYPE
    status: JobStatus | None = None
    reply_to: str | None = None
    message_id: str | None = None
    expiration: str | None = None
    content_encoding: str | None = None


class Settler(Protocol):
    """The channel that delivered a message."""

    @property
    def alive(self) -> bool:
        """Whether the broker still accepts acks here."""

    @property
    def crowded(self) -> bool:
        """Whether too many messages are unsettled to defer another one."""

    def settle(self, messages: Sequence["IncomingMessage"]) -> None:
        """Ack, reject or requeue each as its disposition says; do nothing on a lost channel."""


class ReplyPublisher(Protocol):
    """Publishes replies on the newest connection, even if an older one delivered the message."""

    def publish(self, message: OutgoingMessage) -> Future[None] | None:
        """Publish soon; return a future if the message must not be settled before it is done."""


class Replyable(Protocol):
    """A request that gets a reply: a message, or one line of an NDJSON message."""

    @property
    def body(self) -> bytes:
        """The request."""

    @property
    def message(self) -> "IncomingMessage":
        """The message that holds the request."""

    def reply(self, reply: Reply) -> None:
        """Send a reply if the sender asked for one."""

    def reject(self) -> None:
        """Send the message to the dead-letter queue."""


@dataclass(eq=False, slots=True, weakref_slot=True)
class IncomingMessage:
    """One delivery. A handler replies to it and chooses its disposition, an ack by default."""

    body: bytes
    reply_to: str | None
    correlation_id: str | None  # or bytes that are not UTF-8, which the reply returns unchanged
    message_id: str | None
    queue: str
    redelivered: bool
    delivery_tag: int
    channel: Settler
    replies: ReplyPublisher
    is_ndjson: bool = False  # each line is a request
    deadline: float | None = None  # on the monotonic clock: its sender waits no longer than this
    encoding: str | None = None  # the codings of the body, which `decode_or_reject` removes
    user_id: str | None = None  # the sender's name, which the broker has validated
    disposition: Disposition | None = Disposition.ACK  # None: another delivery settles it
    deferred: int = 0  # pending steps of `Deferred` work; the message is not settled before
    sending: Future[None] | None = None  # a reply on another connection; settle after it

    @property
    def message(self) -> "IncomingMessage":
        """The message itself, which makes it `Replyable`."""
        return self

    @property
    def alive(self) -> bool:
        """Whether its channel can still settle it; if not, the broker delivers it again."""
        return self.channel.alive

    @property
    def expired(self) -> bool:
        """Whether its sender has stopped waiting for the reply."""
        return self.deadline is not None and self.deadline <= monotonic()

    @property
    def replies_directly(self) -> bool:
        """Whether its sender expects the reply by direct reply-to."""
        return (self.reply_to or "").startswith(DIRECT_REPLY_PREFIX)

    def reply(self, reply: Reply) -> None:
        """Send a reply if the sender asked for one."""
        if self.reply_to:
            self.send(*encode_reply(reply))

    def send(
        self, body: bytes, status: JobStatus | None = None, content_type: str = JSON_MEDIA_TYPE
    ) -> None:
        """Send an encoded reply, but never to a queue of Warren."""
        if may_reply_to(self.reply_to):
            self.sending = self.replies.publish(
                OutgoingMessage(self.reply_to, body, self.correlation_id, content_type, status)
            )

    def reject(self) -> None:
        """Send the message to the dead-letter queue, because no consumer can handle it."""
        self.disposition = Disposition.REJECT

    def requeue(self) -> None:
        """Return the message to its queue; its next consumer sees it as redelivered."""
        self.disposition = Disposition.REQUEUE

    def republish(self) -> None:
        """Return an unhandled message to its queue as a new message.

        Publishes a copy and acks the original. A requeued message would count as redelivered, and
        consumers must assume that work on a redelivered message has begun.
        """
        if self.redelivered or not self.alive:
            self.requeue()
            return
        left = None if self.deadline is None else max(0, int((self.deadline - monotonic()) * 1000))
        self.replies.publish(
            OutgoingMessage(
                self.queue,
                self.body,
                self.correlation_id,
                content_type=NDJSON_MEDIA_TYPE if self.is_ndjson else None,
                reply_to=self.reply_to,
                message_id=self.message_id,
                expiration=None if left is None else str(left),
                content_encoding=self.encoding,
            )
        )
        self.disposition = Disposition.ACK

    def continue_as(self, redelivery: "IncomingMessage") -> None:
        """Settle `redelivery` in place of this message, whose connection was lost."""
        self.delivery_tag, self.channel = redelivery.delivery_tag, redelivery.channel
        self.redelivered = True
        redelivery.disposition = None

    def settle(self) -> None:
        """Ack, reject or requeue the message, as its disposition says."""
        if self.disposition is not None:
            self.channel.settle((self,))


def parse_or_reject(request: Replyable, kind: type[RequestT]) -> RequestT | None:
    """Return the parsed request; reply with the error and reject the message if it is invalid."""
    try:
        return parse_request(kind, request.body)
    except errors.WarrenError as error:
        reject_with_error(request, error)
        return None


def decode_or_reject(message: IncomingMessage) -> bool:
    """Decode the body in place; return False if that fails and the message is rejected."""
    if message.encoding is not None:
        try:
            message.body = decode_body(message.body, message.encoding, MAX_MESSAGE_BYTES)
        except errors.WarrenError as error:
            reject_with_error(message, error)
            return False
        message.encoding = None
    return True


def reject_with_error(request: Replyable, error: errors.WarrenError) -> None:
    """Reply with an error and send the message to the dead-letter queue."""
    log.warning("a message is rejected: %s", error)
    request.reply(Failed.of(error))
    request.reject()


def may_reply_to(reply_to: str | None) -> TypeGuard[str]:
    """Tell whether a reply may be sent: `reply_to` is set and is not a queue of Warren."""
    if reply_to in QUEUE_TYPES:
        log.warning("no reply is sent into %s", reply_to)
        return False
    return bool(reply_to)


def name_of(message_id: object) -> str | None:
    """Return a message's id as text, with escapes for bytes that are not UTF-8."""
    if isinstance(message_id, bytes):
        return message_id.decode(errors="backslashreplace")
    return message_id if isinstance(message_id, str) else None


def user_of(user_id: object) -> str | None:
    """Return the `user_id` of a message; the broker refuses any but the sender's own."""
    return user_id if isinstance(user_id, str) and user_id else None


def deadline_of(expiration: object) -> float | None:
    """Return when a message's sender stops waiting; `expiration` holds milliseconds as text."""
    if isinstance(expiration, str) and expiration.isdecimal():
        return monotonic() + int(expiration) / 1000
    return None


def encode_reply(reply: Reply, max_bytes: int = MAX_MESSAGE_BYTES) -> tuple[bytes, JobStatus]:
    """Return a reply's body and status, or a TooLarge error's if it exceeds `max_bytes`."""
    body = reply.encode()
    if len(body) <= max_bytes:
        return body, reply.status
    detail = f"the answer has {len(body)} bytes: ask for fewer rows at a time"
    return Failed.of(errors.TooLarge(None, detail), reply.model_id).encode(), JobStatus.ERROR
