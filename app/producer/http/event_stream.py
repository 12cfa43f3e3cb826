"""Streams of events whose number is limited."""

from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import Any

from sse_starlette import EventSourceResponse, ServerSentEvent
from starlette.types import Receive, Scope, Send

from app import errors
from app.producer.http.caller import caller_of
from app.producer.http.caller_shares import CallerShares


class EventStreams:
    """Counts the streams that are open. It belongs to one event loop."""

    def __init__(self, most: int, of_caller: int | None) -> None:
        """Let `most` streams be open at a time, and so many of one caller; None is no bound."""
        self._most = most
        self._open = 0
        self._shares = CallerShares("event streams", of_caller)

    @contextmanager
    def open(self, caller: str) -> Iterator[None]:
        """Count a stream while the block runs. Raises `errors.Overloaded` or `QuotaExceeded`."""
        if self._open >= self._most:
            raise errors.Overloaded(f"{self._most:,} event streams are open; ask again later")
        with self._shares.hold(caller):
            self._open += 1
            try:
                yield
            finally:
                self._open -= 1


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
            await super().__call__(scope, receive, send)
