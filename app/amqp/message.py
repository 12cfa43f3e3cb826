"""AMQP messages as handlers see them, independent of the client library."""

import logging
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from enum import Enum, auto
from time import monotonic
from typing import Any, Protocol

from app import errors
from app.amqp.body_encoding import decode_body
from app.amqp.outgoing_message import OutgoingMessage
from app.amqp.reply_to import DIRECT_REPLY_PREFIX, may_reply_to
from app.amqp.topology import MAX_MESSAGE_BYTES, REQUEST_EXCHANGE
from app.protocol.oip.message import InferHead
from app.protocol.replies import Failed, Reply
from app.protocol.types import JSON_MEDIA_TYPE, NDJSON_MEDIA_TYPE, JobStatus
from app.protocol.validation import RequestT, parse_request

log = logging.getLogger(__name__)

MAX_UNSENT = 1000  # replies that are kept while there is no connection


class Disposition(Enum):
    """How a message is settled."""

    ACK = auto()
    REJECT = auto()
    REQUEUE = auto()


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
    exchange: str = ""  # where it was published, or dead-lettered last
    traceparent: str | None = None  # the span that sent it (W3C Trace Context)
    infer: InferHead | None = None  # of a message of the Open Inference Protocol, and so its reply
    identity: Any = None  # for whom it acts, which `consumer.message_identity` finds out
    shown: Callable[[bytes], bytes] | None = None  # how its sender calls the names in a reply
    resend_as: str | None = None  # the `user_id` of a copy, if it is a message of a service
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

    @property
    def reply_queue(self) -> str | None:
        """The queue of replies; None if the sender asked for none, or named a queue of others.

        A client that publishes to the exchange of requests may write no other queue. So its reply
        goes only to a queue that the broker has named.
        """
        only_server_named = self.exchange == REQUEST_EXCHANGE
        allowed = may_reply_to(self.reply_to, only_server_named=only_server_named)
        return self.reply_to if allowed else None

    def reply(self, reply: Reply) -> None:
        """Send a reply if the sender asked for one."""
        if self.reply_to:
            self.send(*self.encode(reply))

    def encode(self, reply: Reply) -> tuple[bytes, JobStatus]:
        """Return a reply's body and status, with names as the sender has them."""
        body, status = encode_reply(reply)
        return self.shown(body) if self.shown else body, status

    def send(
        self, body: bytes, status: JobStatus | None = None, content_type: str = JSON_MEDIA_TYPE
    ) -> None:
        """Send an encoded reply, but only where it may go."""
        if queue := self.reply_queue:
            outgoing = OutgoingMessage(queue, body, self.correlation_id, content_type, status)
            if self.infer is not None:
                outgoing.become_infer_answer()
            self.sending = self.replies.publish(outgoing)

    def reject(self) -> None:
        """Send the message to the dead-letter queue, because no consumer can handle it."""
        self.disposition = Disposition.REJECT

    def requeue(self) -> None:
        """Return the message to its queue; its next consumer sees it as redelivered."""
        self.disposition = Disposition.REQUEUE

    def republish(self) -> None:
        """Return an unhandled message to its queue as a new message.

        Publishes a copy and acks the original. A requeued message would count as redelivered, and
        consumers must assume that work on a redelivered message has begun. A message with a sender
        other than a service is requeued all the same, because a copy would have another sender.
        """
        nameless = self.user_id is None and self.exchange != REQUEST_EXCHANGE
        if self.redelivered or not self.alive or not (nameless or self.resend_as):
            self.requeue()
            return
        left = None if self.deadline is None else max(0, int((self.deadline - monotonic()) * 1000))
        self.replies.publish(
            OutgoingMessage(
                self.queue,
                self.body,
                self.correlation_id,
                content_type=self._content_type,
                reply_to=self.reply_to,
                message_id=self.message_id,
                expiration=None if left is None else str(left),
                content_encoding=self.encoding,
                exchange=self.exchange,
                traceparent=self.traceparent,
                user_id=self.resend_as,
                headers=self.infer.headers() if self.infer else None,
            )
        )
        self.disposition = Disposition.ACK

    @property
    def _content_type(self) -> str | None:
        if self.infer is not None:
            return self.infer.content_type
        return NDJSON_MEDIA_TYPE if self.is_ndjson else None

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


def encode_reply(reply: Reply, max_bytes: int = MAX_MESSAGE_BYTES) -> tuple[bytes, JobStatus]:
    """Return a reply's body and status, or a TooLarge error's if it exceeds `max_bytes`."""
    body = reply.encode()
    if len(body) <= max_bytes:
        return body, reply.status
    detail = f"the answer has {len(body)} bytes: ask for fewer rows at a time"
    return Failed.of(errors.TooLarge(None, detail), reply.model_id).encode(), JobStatus.ERROR
