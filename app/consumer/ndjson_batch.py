"""A message of many requests, which is answered by a message of as many replies.

Each line holds one request or reply, in the same order. An empty line stands for a reply that the
message had no room for; its request may be sent again, alone.
"""

from app import errors
from app.amqp.message import IncomingMessage, Replyable, encode_reply, reject_with_error
from app.amqp.topology import MAX_MESSAGE_BYTES
from app.protocol.replies import Reply
from app.protocol.types import NDJSON_MEDIA_TYPE

MAX_LINES = 10_000  # a line break is a byte, and what is made of it a thousand


class _NdjsonBatch:
    """A message, and the replies to its lines as they come."""

    def __init__(self, delivery: IncomingMessage, count: int) -> None:
        self.delivery = delivery
        self._replies: list[bytes | None] = [None] * count
        self._missing = count

    def put(self, number: int, reply: bytes) -> None:
        """Keep the first reply to a line; with the last one, send them all."""
        if self._replies[number] is not None:
            return
        self._replies[number] = reply
        self._missing -= 1
        if not self._missing:
            self.delivery.send(b"\n".join(self._fitting()), NDJSON_MEDIA_TYPE)

    def _fitting(self) -> list[bytes]:
        fitting, size = [], 0
        for reply in self._replies:
            assert reply is not None
            size += len(reply) + 1
            if size > MAX_MESSAGE_BYTES - len(self._replies):
                size -= len(reply)
                reply = b""
            fitting.append(reply)
        return fitting


class NdjsonLine:
    """One request of many."""

    def __init__(self, whole: _NdjsonBatch, number: int, body: bytes) -> None:
        """Be line `number` of a message, counted from 0."""
        self.body = body
        self.delivery = whole.delivery
        self._whole = whole
        self._number = number

    def reply(self, reply: Reply) -> None:
        """Send a reply as soon as the other lines have theirs."""
        if self.delivery.reply_to:
            body, _ = encode_reply(reply)
            self._whole.put(self._number, body)

    def reject(self) -> None:
        """Send the whole message to the dead-letter queue, answered or not."""
        self.delivery.reject()


def split_requests(delivery: IncomingMessage) -> list[Replyable]:
    """Return the requests of a message: itself, or its lines, or none where these are too many."""
    if not delivery.lines:
        return [delivery]
    body = delivery.body.removesuffix(b"\n")
    if body.count(b"\n") >= MAX_LINES:
        reject_with_error(delivery, errors.TooLarge("body", f"has more than {MAX_LINES} lines"))
        return []
    bodies = body.split(b"\n")
    whole = _NdjsonBatch(delivery, len(bodies))
    return [NdjsonLine(whole, number, body) for number, body in enumerate(bodies)]
