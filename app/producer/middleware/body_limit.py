"""Bounds on what clients send: on the bytes of a body, and on what is in hand at a time."""

import asyncio

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send


class BodyLimit:
    """ASGI middleware: whoever reads on past the limit gets a 413 raised.

    It bounds the body whether that says its length beforehand or is chunked.

    `limit` bytes, but for the paths that begin with a key of `special`: there a body may be long,
    and has to go on coming, or a 408 is raised when nothing has come for so many `seconds`.
    """

    def __init__(self, app: ASGIApp, limit: int, special: dict[str, int], seconds: float) -> None:
        """Wrap `app`."""
        self._app = app
        self._limit = limit
        self._special = special
        self._seconds = seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        path = scope["path"]
        special = next((n for prefix, n in self._special.items() if path.startswith(prefix)), None)
        limit = self._limit
        if special is not None:
            limit, receive = special, _steady(receive, self._seconds)
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


def _steady(receive: Receive, seconds: float) -> Receive:
    """Return a `receive` that raises HTTP's 408 when a body that goes on does not come."""
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
