"""Calls that begin in the same turn of the event loop travel as one message.

In it they share what a way through the broker costs, which is more than all the rest. A lonely call
waits for nobody, and its message is an ordinary one. Calls to different models do not share: one
may have to be loaded first.
"""

import asyncio
import logging
from collections.abc import Hashable, Iterator
from itertools import chain

from app import errors
from app.concurrency import fail, succeed
from app.producer.rpc.client import RpcClient, ensure_success, parse_reply
from app.protocol.types import JSON_MEDIA_TYPE, NDJSON_MEDIA_TYPE

log = logging.getLogger(__name__)

MAX_LINES = 64  # with more of them in a message, other consumers would have none
MAX_BYTES = 100_000

_Call = tuple[bytes, asyncio.Future[bytes]]


class Coalescer:
    """Asks the consumers of one queue. It lives on one event loop."""

    def __init__(self, rpc: RpcClient, queue: str, deadline: float) -> None:
        """Each call is given up `deadline` seconds after it was sent."""
        self._rpc = rpc
        self._queue = queue
        self._deadline = deadline
        self._turn: dict[Hashable, list[_Call]] = {}
        self._under_way = 0
        self._tasks: set[asyncio.Task[None]] = set()  # the loop itself holds them weakly

    async def ask(self, model: Hashable, body: bytes) -> bytes:
        """Return the reply to a JSON request, as it came; `model` tells with whom it may share.

        Raises what `RpcClient.call` does, or the error that the reply tells of.
        """
        self._rpc.check()
        reply = await (self._together(model, body) if self._under_way else self._send(body))
        if not reply:  # there was no room for it beside the others
            reply = await self._send(body)
        return ensure_success(reply)

    async def _together(self, model: Hashable, body: bytes) -> bytes:
        """Wait for who else asks in this turn."""
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[bytes] = loop.create_future()
        if not self._turn:
            loop.call_soon(self._end_turn)
        self._turn.setdefault(model, []).append((body, answer))
        return await answer

    def _end_turn(self) -> None:
        turn, self._turn = self._turn, {}
        for calls in chain.from_iterable(map(_chunks, turn.values())):
            task = asyncio.create_task(self._share(calls))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _share(self, calls: list[_Call]) -> None:
        """Send some calls as one message, and hand out what comes back."""
        try:
            replies = await self._lines([body for body, _ in calls])
        except Exception as error:  # a bug, too, must not leave anybody waiting
            if not isinstance(error, errors.WarrenError):
                log.exception("calls of %s failed", self._queue)
                error = errors.WarrenError()
            for _, answer in calls:
                fail(answer, errors.from_wire(error.to_wire()))
        else:
            for (_, answer), reply in zip(calls, replies, strict=True):
                succeed(answer, reply)

    async def _lines(self, bodies: list[bytes]) -> list[bytes]:
        if len(bodies) == 1:
            return [await self._send(bodies[0])]
        # A line break can only stand between the tokens of JSON, where a space does as well.
        whole = b"\n".join(body.replace(b"\n", b" ") for body in bodies)
        reply = await self._send(whole, NDJSON_MEDIA_TYPE)
        lines = reply.split(b"\n")
        if len(lines) != len(bodies):
            parse_reply(reply)  # an error of them all, or else
            raise errors.WarrenError(f"{len(lines)} replies came to {len(bodies)} requests")
        return lines

    async def _send(self, body: bytes, content_type: str = JSON_MEDIA_TYPE) -> bytes:
        self._under_way += 1
        try:
            return await self._rpc.call(self._queue, body, self._deadline, content_type)
        finally:
            self._under_way -= 1


def _chunks(turn: list[_Call]) -> Iterator[list[_Call]]:
    """Split what came for one model into messages that are not too large."""
    calls: list[_Call] = []
    size = 0
    for call in turn:
        if calls and (len(calls) == MAX_LINES or size + len(call[0]) > MAX_BYTES):
            yield calls
            calls, size = [], 0
        calls.append(call)
        size += len(call[0])
    yield calls
