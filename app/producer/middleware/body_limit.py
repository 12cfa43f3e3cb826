"""Limit the size of request bodies, and how long an upload may stall."""

import asyncio

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send


class BodyLimit:
    """ASGI middleware: reading a body beyond its limit raises HTTP's 413.

    The limit is `limit` bytes, for bodies that announce their length and for chunked ones. Paths
    that begin with a key of `special` have its value as their limit instead. They take
    uploads, so reading raises HTTP's 408 if nothing arrives for `stall_seconds` before the body is
    complete.
    """

    def __init__(
        self, app: ASGIApp, limit: int, special: dict[str, int], stall_seconds: float
    ) -> None:
        """Wrap `app`."""
        self._app = app
        self._limit = limit
        self._special = special
        self._stall_seconds = stall_seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        special = special_limit(scope, self._special)
        limit = self._limit
        if special is not None:
            limit, receive = special, _without_stalls(receive, self._stall_seconds)
        announced = Headers(scope=scope).get("content-length", "0")
        seen = int(announced) if announced.isdigit() and int(announced) > limit else 0

        async def limited() -> Message:
            nonlocal seen
            message = await receive() if seen <= limit else {}
            seen += len(message.get("body", b""))
            if seen > limit:
                raise HTTPException(413, f"body: over the limit of {limit} bytes")
            return message

        await self._app(scope, limited, send)


def special_limit(scope: Scope, special: dict[str, int]) -> int | None:
    """Return the value of the first key that the path below a proxy's prefix begins with."""
    path = scope["path"].removeprefix(scope.get("root_path", ""))
    return next((limit for prefix, limit in special.items() if path.startswith(prefix)), None)


def _without_stalls(receive: Receive, seconds: float) -> Receive:
    """Return a `receive` that raises HTTP's 408 if an incomplete body stops arriving."""
    more = True

    async def steady() -> Message:
        nonlocal more
        try:
            async with asyncio.timeout(seconds if more else None):
                message = await receive()
        except TimeoutError:
            raise HTTPException(408, f"body: nothing more came within {seconds:g} s") from None
        more = message.get("more_body", False)
        return message

    return steady
