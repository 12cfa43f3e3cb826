"""NDJSON messages: a request in each line, replied to by one message with a reply in each line.

An empty line stands for a reply that did not fit; its request may be sent again, alone.
"""

from app import errors
from app.amqp.message import (
    IncomingMessage,
    Replyable,
    decode_or_reject,
    reject_with_error,
)
from app.amqp.topology import MAX_MESSAGE_BYTES
from app.protocol.replies import Reply
from app.protocol.types import NDJSON_MEDIA_TYPE

MAX_LINES = 10_000  # a line break is one byte, but its request takes a thousand


class _NdjsonBatch:
    """A message, and the replies to its lines so far."""

    def __init__(self, message: IncomingMessage, count: int, max_bytes: int) -> None:
        self.message = message
        self._replies: list[bytes | None] = [None] * count
        self._missing = count
        self._max_bytes = max_bytes

    def put(self, number: int, reply: bytes) -> None:
        """Keep the first reply to a line; send all replies when the last one is known."""
        if self._replies[number] is not None:
            return
        self._replies[number] = reply
        self._missing -= 1
        if not self._missing:
            self.message.send(b"\n".join(self._fitting()), content_type=NDJSON_MEDIA_TYPE)

    def _fitting(self) -> list[bytes]:
        """Return the replies, empty where they would make the message too large."""
        fitting, size = [], 0
        for reply in self._replies:
            assert reply is not None
            size += len(reply) + 1
            if size > self._max_bytes - len(self._replies):
                size -= len(reply)
                reply = b""
            fitting.append(reply)
        return fitting


class NdjsonLine:
    """One request of an NDJSON message."""

    def __init__(self, batch: _NdjsonBatch, number: int, body: bytes) -> None:
        """Create line `number` of a message, counted from 0."""
        self.body = body
        self.message = batch.message
        self._batch = batch
        self._number = number

    def reply(self, reply: Reply) -> None:
        """Send the reply together with those to the other lines."""
        if self.message.reply_to:
            body, _ = self.message.encode(reply)
            self._batch.put(self._number, body)

    def reject(self) -> None:
        """Send the whole message to the dead-letter queue."""
        self.message.reject()


def split_requests(message: IncomingMessage, max_bytes: int = MAX_MESSAGE_BYTES) -> list[Replyable]:
    """Return a message's requests: itself, or its lines, or none if it is rejected.

    A message with too many lines is rejected, and one that cannot be decoded. The reply to an
    NDJSON message has at most `max_bytes` bytes.
    """
    if message.encoding is not None and not decode_or_reject(message):
        return []
    if not message.is_ndjson:
        return [message]
    body = message.body.removesuffix(b"\n")
    if body.count(b"\n") >= MAX_LINES:
        reject_with_error(message, errors.TooLarge("body", f"has more than {MAX_LINES} lines"))
        return []
    bodies = body.split(b"\n")
    batch = _NdjsonBatch(message, len(bodies), max_bytes)
    return [NdjsonLine(batch, number, body) for number, body in enumerate(bodies)]
