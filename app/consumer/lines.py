"""A message of many requests, which is answered by a message of as many replies.

Each stands in a line of its own, in the same order (`messages.LINES`). An empty line is no reply:
the message had no room for it, and the request may be sent again, alone.
"""

from app import errors, queues
from app.consumer.delivery import Delivery, Part, encode, refuse
from app.messages import LINES, Reply

MOST_LINES = 10_000  # a line break is a byte, and what is made of it a thousand


class _Whole:
    """A message, and the replies to its lines as they come."""

    def __init__(self, delivery: Delivery, count: int) -> None:
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
            self.delivery.send(b"\n".join(self._fitting()), LINES)

    def _fitting(self) -> list[bytes]:
        fitting, size = [], 0
        for reply in self._replies:
            assert reply is not None
            size += len(reply) + 1
            if size > queues.MAX_MESSAGE_BYTES - len(self._replies):
                size -= len(reply)
                reply = b""
            fitting.append(reply)
        return fitting


class Line:
    """One request of many."""

    def __init__(self, whole: _Whole, number: int, body: bytes) -> None:
        """Be line `number` of a message, counted from 0."""
        self.body = body
        self.delivery = whole.delivery
        self._whole = whole
        self._number = number

    def reply(self, reply: Reply) -> None:
        """Send a reply as soon as the other lines have theirs."""
        if self.delivery.reply_to:
            body, _ = encode(reply)
            self._whole.put(self._number, body)

    def reject(self) -> None:
        """Send the whole message to the dead-letter queue, answered or not."""
        self.delivery.reject()


def parts(delivery: Delivery) -> list[Part]:
    """Return the requests of a message: itself, or its lines, or none where these are too many."""
    if not delivery.lines:
        return [delivery]
    body = delivery.body.removesuffix(b"\n")
    if body.count(b"\n") >= MOST_LINES:
        refuse(delivery, errors.TooLarge(f"body: has more than {MOST_LINES} lines", field="body"))
        return []
    bodies = body.split(b"\n")
    whole = _Whole(delivery, len(bodies))
    return [Line(whole, number, body) for number, body in enumerate(bodies)]
