"""A bound on the bytes of a request's body, whether it says its length beforehand or is chunked."""

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send


class BodyLimit:
    """ASGI middleware: whoever reads on past the limit gets a 413 raised.

    `limit` bytes, but for the paths that begin with a key of `special`.
    """

    def __init__(self, app: ASGIApp, limit: int, special: dict[str, int]) -> None:
        """Wrap `app`."""
        self._app = app
        self._limit = limit
        self._special = special

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        path = scope["path"]
        special = (n for prefix, n in self._special.items() if path.startswith(prefix))
        limit = next(special, self._limit)
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
