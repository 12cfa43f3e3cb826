"""A message in hand of the asyncio consumer."""

from concurrent.futures import Future
from dataclasses import dataclass
from time import monotonic
from typing import Protocol

from app.amqp.message import Disposition, encode_reply, may_reply_to
from app.protocol.replies import Reply
from app.protocol.types import JSON_MEDIA_TYPE, JobStatus


@dataclass(frozen=True)
class OutgoingMessage:
    """A message that is to be published to the default exchange."""

    queue: str
    body: bytes
    correlation_id: str | None
    content_type: str | None = JSON_MEDIA_TYPE
    status: JobStatus | None = None
    reply_to: str | None = None
    message_id: str | None = None
    expiration: str | None = None


class Link(Protocol):
    """The connection that a message came by."""

    @property
    def alive(self) -> bool:
        """Whether the broker still takes acks here."""

    def settle(self, tag: int, verdict: Disposition) -> None:
        """Ack, reject or requeue soon; nothing where the connection is gone."""


class Outlet(Protocol):
    """By what messages leave: the connection may be a newer one."""

    def send(self, message: OutgoingMessage) -> Future[None] | None:
        """Publish soon; a future where that is left to somebody else."""


@dataclass(eq=False)
class AsyncMessage:
    """A message in hand. A handler that returns has it acked, unless it chose otherwise."""

    body: bytes
    reply_to: str | None
    correlation_id: str | None  # or bytes, if it is not UTF-8; goes back as it came
    message_id: str | None
    redelivered: bool
    queue: str
    tag: int
    link: Link
    outlet: Outlet
    lines: bool = False  # whether it holds a request in each line
    deadline: float | None = None  # by the monotonic clock: later, nobody waits for the answer
    verdict: Disposition | None = Disposition.ACK
    sending: Future[None] | None = None  # a reply that is on its way by another connection

    @property
    def expired(self) -> bool:
        """Whether nobody waits for the answer any more."""
        return self.deadline is not None and self.deadline <= monotonic()

    def reply(self, reply: Reply) -> None:
        """Send a reply to whoever asked for one."""
        self.send(*encode_reply(reply))

    def send(self, body: bytes, status: JobStatus) -> None:
        """Send the body of a reply to whoever asked for one, but never into a queue of work."""
        if may_reply_to(self.reply_to):
            self.sending = self.outlet.send(
                OutgoingMessage(self.reply_to, body, self.correlation_id, status=status)
            )

    def reject(self) -> None:
        """Send the message to the dead-letter queue: it can never be understood."""
        self.verdict = Disposition.REJECT

    def requeue(self) -> None:
        """Hand the message back, for another consumer, to whom it will be a redelivered one."""
        self.verdict = Disposition.REQUEUE

    def hand_back(self) -> None:
        """Hand back what was not begun, so that another consumer may begin it.

        A copy goes to the end of the queue: what is requeued looks as if it might have been begun.
        """
        if self.redelivered or not self.link.alive:
            self.requeue()
            return
        left = None if self.deadline is None else max(0, int((self.deadline - monotonic()) * 1000))
        self.outlet.send(
            OutgoingMessage(
                self.queue,
                self.body,
                self.correlation_id,
                content_type=None,
                reply_to=self.reply_to,
                message_id=self.message_id,
                expiration=None if left is None else str(left),
            )
        )
        self.verdict = Disposition.ACK

    def become(self, newer: "AsyncMessage") -> None:
        """Go on as the message that came when the connection of this one was lost."""
        self.tag, self.link, self.redelivered = newer.tag, newer.link, True
        newer.verdict = None

    def settle(self) -> None:
        """Do what was chosen."""
        if self.verdict is not None:
            self.link.settle(self.tag, self.verdict)
