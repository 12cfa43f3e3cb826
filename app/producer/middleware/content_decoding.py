"""Decode request bodies that are compressed (RFC 9110 section 8.4)."""

import asyncio
from collections.abc import Awaitable, Iterator

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app import errors
from app.producer.admission import AdmissionControl
from app.producer.middleware.body_rules import BodyRules
from app.protocol.content_encoding import Decoder

_METHODS = ("POST", "PUT", "PATCH")  # whose bodies are read


class ContentDecoding:
    """ASGI middleware: the application reads bodies without their Content-Encoding.

    The limits are those of `BodyLimit`, for the bytes that the application reads: beyond them,
    reading raises HTTP's 413, or 503 if the bodies of all requests take too much memory. It raises
    HTTP's 422 for bytes that cannot be decoded. A coding that is not known raises
    `errors.Unsupported` before anything is read.
    """

    def __init__(self, app: ASGIApp, rules: BodyRules, memory: AdmissionControl) -> None:
        """Wrap `app`."""
        self._app = app
        self._rules = rules
        self._memory = memory

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Serve one request. It is no coroutine function, because each would cost `/predict`."""
        if scope["type"] == "http":
            for name, _ in scope["headers"]:
                if name == b"content-encoding" and scope["method"] in _METHODS:
                    return self._serve(scope, receive, send)
        return self._app(scope, receive, send)

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request whose body is compressed."""
        codings = [value for name, value in scope["headers"] if name == b"content-encoding"]
        encoding = b",".join(codings).decode("latin-1")
        rule = self._rules.of(scope)
        memory = self._memory if rule.held else None
        decoded = _Decoded(receive, Decoder(encoding, rule.size), memory)
        scope = {**scope, "headers": [each for each in scope["headers"] if _remains(*each)]}
        try:
            await self._app(scope, decoded, send)
        finally:
            decoded.forget()


def _remains(name: bytes, _: bytes) -> bool:
    """Tell whether a header is true of the decoded body, too."""
    return name not in (b"content-encoding", b"content-length")


class _Decoded:
    """The messages of a request with its body decoded, in pieces; `memory` counts their bytes."""

    def __init__(self, receive: Receive, decoder: Decoder, memory: AdmissionControl | None) -> None:
        self._receive = receive
        self._decoder = decoder
        self._memory = memory
        self._held = 0
        self._pieces: Iterator[bytes] = iter(())
        self._more = True  # of the body is to come
        self._ended = False

    async def __call__(self) -> Message:
        """Return the next message. Raises HTTP's 413, 422 or 503."""
        if self._ended:
            return await self._receive()
        try:
            while True:
                for piece in self._pieces:
                    await asyncio.sleep(0)  # other requests go on
                    if piece:
                        self._count(len(piece))
                        return {"type": "http.request", "body": piece, "more_body": True}
                if not self._more:
                    self._decoder.end()
                    self._ended = True
                    self._complete()
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
        except errors.Overloaded as error:
            raise HTTPException(503, error.detail) from None

    def forget(self) -> None:
        """Give back the memory of the body."""
        if not self._ended:
            self._complete()
        if self._memory:
            self._memory.give_back(self._held)

    def _complete(self) -> None:
        if self._memory:
            self._memory.complete(self._held)

    def _count(self, size: int) -> None:
        if self._memory:
            self._memory.take_arriving(size)
            self._held += size
