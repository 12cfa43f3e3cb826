"""Answer with a stored file, piece by piece."""

import logging
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from fastapi import Request
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from app import errors
from app.concurrency import run_in_thread
from app.producer.conditions.entity_tags import has_answer

PIECE_BYTES = 1_000_000

log = logging.getLogger(__name__)

Place = Callable[[], AbstractAsyncContextManager[None]]


class Readable(Protocol):
    """A file that is read piece by piece, of `size` bytes; None if that is not known."""

    @property
    def size(self) -> int | None:
        """Return how many bytes it has."""

    def read(self, size: int, /) -> bytes:
        """Return the next bytes, b"" at the end. Raises `errors.Unavailable`."""

    def close(self) -> None:
        """Close it."""


def download(
    request: Request,
    place: Place,
    open_file: Callable[[], Readable],
    *,
    name: str,
    media_type: str,
    tag: str,
) -> Response:
    """Return the answer with a file, or 304 if the client has the file of this `tag`.

    `place` limits how many answers have their file open.
    """
    headers = {"ETag": f'"{tag}"', "Cache-Control": "no-cache"}
    if has_answer(request, headers["ETag"]):
        return Response(status_code=304, headers=headers)
    headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return _Download(place, open_file, headers, media_type)


class _Download(StreamingResponse):
    """An answer that holds a place, and an open file, from its first byte to its last."""

    def __init__(
        self,
        place: Place,
        open_file: Callable[[], Readable],
        headers: dict[str, str],
        media_type: str,
    ) -> None:
        super().__init__((), headers=headers, media_type=media_type)
        self._place = place
        self._open = open_file

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the file.

        Raises `errors.Overloaded`, and those of opening the file, before the first byte.
        """
        async with self._place():
            stream = await run_in_thread(self._open)
            try:
                if stream.size is not None:
                    self.headers["Content-Length"] = str(stream.size)
                self.body_iterator = _pieces(stream)
                await super().__call__(scope, receive, send)
            finally:
                stream.close()

    async def stream_response(self, send: Send) -> None:
        """Send the pieces; leave the answer incomplete, which ends the connection, if one fails."""
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        try:
            async for piece in self.body_iterator:
                await send({"type": "http.response.body", "body": piece, "more_body": True})
        except errors.Unavailable as error:
            log.warning("a download ends early: %s", error)
            return
        await send({"type": "http.response.body", "body": b""})


async def _pieces(stream: Readable) -> AsyncIterator[bytes]:
    while piece := await run_in_thread(stream.read, PIECE_BYTES):
        yield piece
