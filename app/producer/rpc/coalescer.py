"""Send calls that begin in the same iteration of the event loop as one message.

They share the cost of one round trip through the broker, which exceeds all other costs. A call that
begins while no other is in flight is sent at once, as an ordinary message. Calls to different
models are not mixed, because one model may have to be loaded first.
"""

import asyncio
import logging
from collections.abc import Hashable, Iterator
from itertools import chain

from app import errors
from app.concurrency import fail, succeed
from app.observability import tracing
from app.observability.traceparent import Traceparent
from app.producer.rpc.client import RpcClient
from app.producer.rpc.replies import ensure_success, read_reply
from app.protocol.types import JSON_MEDIA_TYPE, NDJSON_MEDIA_TYPE
from app.protocol.wire_errors import error_from_wire

log = logging.getLogger(__name__)

MAX_CALLS = 64  # more of them in one message would leave the other consumers idle
MAX_BYTES = 100_000

# The last names the caller's span.
_Call = tuple[bytes, asyncio.Future[bytes], Traceparent | None]


class Coalescer:
    """Calls the consumers of one queue. It belongs to one event loop."""

    def __init__(self, rpc: RpcClient, queue: str, deadline: float) -> None:
        """Give each call `deadline` seconds to be answered."""
        self._rpc = rpc
        self._queue = queue
        self._deadline = deadline
        self._waiting: dict[Hashable, list[_Call]] = {}  # for the end of this iteration
        self._in_flight = 0  # messages
        self._tasks: set[asyncio.Task[None]] = set()  # because the loop refers to them weakly

    async def call(self, model: Hashable, body: bytes) -> bytes:
        """Return the reply to a JSON request, unparsed; only calls of one `model` are coalesced.

        Raises the errors of `RpcClient.call`, or the error in the reply.
        """
        self._rpc.check()
        reply = await (self._coalesced(model, body) if self._in_flight else self._send(body))
        if not reply:  # the message of replies had no room for it
            reply = await self._send(body)
        return ensure_success(reply)

    async def _coalesced(self, model: Hashable, body: bytes) -> bytes:
        loop = asyncio.get_running_loop()
        reply: asyncio.Future[bytes] = loop.create_future()
        if not self._waiting:
            loop.call_soon(self._flush)
        self._waiting.setdefault(model, []).append((body, reply, tracing.as_parent()))
        return await reply

    def _flush(self) -> None:
        waiting, self._waiting = self._waiting, {}
        for calls in chain.from_iterable(map(_chunks, waiting.values())):
            task = asyncio.create_task(self._send_together(calls))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _send_together(self, calls: list[_Call]) -> None:
        """Send calls as one message, and give each caller its reply or the error."""
        try:
            replies = await self._replies([body for body, _, _ in calls], _traceparents(calls))
        except Exception as error:  # a bug, too, must not leave callers waiting
            if not isinstance(error, errors.WarrenError):
                log.exception("calls of %s failed", self._queue)
                error = errors.WarrenError()
            for _, reply, _ in calls:
                fail(reply, error_from_wire(error.to_wire()))
        else:
            for (_, reply, _), body in zip(calls, replies, strict=True):
                succeed(reply, body)

    async def _replies(
        self, bodies: list[bytes], traceparents: list[Traceparent] | None
    ) -> list[bytes]:
        if len(bodies) == 1:
            return [await self._send(bodies[0], traceparents=traceparents)]
        # JSON has line breaks only between its tokens, where a space means the same.
        message = b"\n".join(body.replace(b"\n", b" ") for body in bodies)
        reply = await self._send(message, NDJSON_MEDIA_TYPE, traceparents)
        lines = reply.split(b"\n")
        if len(lines) != len(bodies):
            read_reply(reply)  # raises the error of the whole message, if it is one
            raise errors.WarrenError(f"{len(lines)} replies came to {len(bodies)} requests")
        return lines

    async def _send(
        self,
        body: bytes,
        content_type: str = JSON_MEDIA_TYPE,
        traceparents: list[Traceparent] | None = None,
    ) -> bytes:
        self._in_flight += 1
        try:
            return await self._rpc.call(
                *(self._queue, body, self._deadline, content_type, traceparents)
            )
        finally:
            self._in_flight -= 1


def _traceparents(calls: list[_Call]) -> list[Traceparent] | None:
    """Return what names the spans of callers. They wait for a task that none of them began."""
    return [each for _, _, each in calls if each is not None] if tracing.is_on() else None


def _chunks(waiting: list[_Call]) -> Iterator[list[_Call]]:
    """Split the calls of one model into messages within the limits."""
    calls: list[_Call] = []
    size = 0
    for call in waiting:
        if calls and (len(calls) == MAX_CALLS or size + len(call[0]) > MAX_BYTES):
            yield calls
            calls, size = [], 0
        calls.append(call)
        size += len(call[0])
    yield calls
