"""Decode request bodies that are compressed (RFC 9110 section 8.4)."""

import asyncio
from collections.abc import Iterator

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app import errors
from app.producer.middleware.body_limit import special_limit
from app.protocol.content_encoding import Decoder


class ContentDecoding:
    """ASGI middleware: the application reads bodies without their Content-Encoding.

    The limits are those of `BodyLimit`, for the bytes that the application reads: beyond them,
    reading raises HTTP's 413. It raises HTTP's 422 for bytes that cannot be decoded. A coding that
    is not known raises `errors.Unsupported` before anything is read.
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
        codings = [value for name, value in scope["headers"] if name == b"content-encoding"]
        if codings:
            encoding = b",".join(codings).decode("latin-1")
            special = special_limit(scope, self._special)
            limit = self._limit if special is None else special
            receive = _Decoded(receive, Decoder(encoding, limit))
            scope = {**scope, "headers": [each for each in scope["headers"] if _remains(*each)]}
        await self._app(scope, receive, send)


def _remains(name: bytes, _: bytes) -> bool:
    """Tell whether a header is true of the decoded body, too."""
    return name not in (b"content-encoding", b"content-length")


class _Decoded:
    """The messages of a request with its body decoded, in pieces."""

    def __init__(self, receive: Receive, decoder: Decoder) -> None:
        self._receive = receive
        self._decoder = decoder
        self._pieces: Iterator[bytes] = iter(())
        self._more = True  # of the body is to come
        self._ended = False

    async def __call__(self) -> Message:
        """Return the next message. Raises HTTP's 413 or 422."""
        if self._ended:
            return await self._receive()
        try:
            while True:
                for piece in self._pieces:
                    await asyncio.sleep(0)  # other requests go on
                    if piece:
                        return {"type": "http.request", "body": piece, "more_body": True}
                if not self._more:
                    self._decoder.end()
                    self._ended = True
                    return {"type": "http.request", "body": b"", "more_body": False}
                message = await self._receive()
                if message["type"] != "http.request":
                    return message
                self._more = message.get("more_body", False)
                self._pieces = self._decoder.feed(message.get("body", b""))
        except errors.TooLarge as error:
            raise HTTPException(413, error.detail) from None
        except errors.Malformed as error:
            raise HTTPException(422, error.detail) from None
