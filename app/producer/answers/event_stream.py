"""Streams of events whose number is limited, and which end with their key or login."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from typing import Any

from anyio import CancelScope
from sse_starlette import EventSourceResponse, ServerSentEvent
from starlette.types import Receive, Scope, Send

from app import errors
from app.auth.identity import Identity
from app.producer.callers.caller import caller_of, identity_of
from app.producer.callers.caller_shares import CallerShares

CHECK_SECONDS = 1.0


class EventStreams:
    """Counts the streams that are open. It belongs to one event loop."""

    def __init__(
        self,
        most: int,
        of_caller: int | None,
        is_valid: Callable[[Identity], bool] = lambda _: True,
        seconds: float = CHECK_SECONDS,
    ) -> None:
        """Let `most` streams be open at a time, and so many of one caller; None is no bound.

        A stream ends within `seconds` when its key or login is not valid any more.
        """
        self._is_valid = is_valid
        self._seconds = seconds
        self._most = most
        self._open = 0
        self._shares = CallerShares("event streams", of_caller)

    def check(self, caller: str) -> None:
        """Raise `errors.Overloaded` or `QuotaExceeded` if a caller may open no stream now."""
        if self._open >= self._most:
            raise errors.Overloaded(f"{self._most:,} event streams are open; ask again later")
        with self._shares.hold(caller):
            pass

    @contextmanager
    def open(self, caller: str) -> Iterator[None]:
        """Count a stream while the block runs. Raises as `check` does."""
        self.check(caller)
        with self._shares.hold(caller):
            self._open += 1
            try:
                yield
            finally:
                self._open -= 1

    async def until_invalid(self, identity: Identity) -> None:
        """Wait until a key or login is not valid any more."""
        while self._is_valid(identity):  # noqa: ASYNC110  nothing tells when it is revoked
            await asyncio.sleep(self._seconds)


class EventStream(EventSourceResponse):
    """A stream of events that counts among `streams` from its first byte to its last."""

    def __init__(
        self, streams: EventStreams, events: AsyncIterator[ServerSentEvent], **options: Any
    ) -> None:
        """Answer with `events`; `options` are those of `EventSourceResponse`."""
        super().__init__(events, **options)
        self._streams = streams

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the events. Raises the errors of `EventStreams.open` before the first byte."""
        with self._streams.open(caller_of(scope)):
            if (identity := identity_of(scope)).name:
                await self._send_while_valid(identity, scope, receive, send)
            else:
                await super().__call__(scope, receive, send)

    async def _send_while_valid(
        self, identity: Identity, scope: Scope, receive: Receive, send: Send
    ) -> None:
        with CancelScope() as sending:
            watch = asyncio.ensure_future(self._streams.until_invalid(identity))
            watch.add_done_callback(lambda _: sending.cancel())
            try:
                await super().__call__(scope, receive, send)
            finally:
                watch.cancel()
        if sending.cancelled_caught:
            await send({"type": "http.response.body"})
