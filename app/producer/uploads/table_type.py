"""Where the bytes of a table are in a request, and what its Content-Type says of them."""

from collections.abc import Callable
from typing import Self

import anyio.from_thread
from fastapi import Request
from python_multipart.multipart import parse_options_header

from app import errors
from app.producer.routing.body import content_type_parameter
from app.producer.uploads.csv_type import CHARSETS, CSV_TYPES
from app.producer.uploads.multipart_file import MultipartFile
from app.protocol.media_types import bare_type
from app.protocol.types import (
    ARROW_MEDIA_TYPE,
    ARROW_STREAM_MEDIA_TYPE,
    CSV_MEDIA_TYPE,
    GZIP_MEDIA_TYPE,
    MULTIPART_MEDIA_TYPE,
    PARQUET_MEDIA_TYPE,
)
from app.protocol.wording import cut
from app.tables.dialect import Kind
from app.tables.sniff_encoding import WESTERN, WIDE

MEDIA_TYPES = (
    *(CSV_MEDIA_TYPE, GZIP_MEDIA_TYPE, PARQUET_MEDIA_TYPE),
    *(ARROW_MEDIA_TYPE, ARROW_STREAM_MEDIA_TYPE, MULTIPART_MEDIA_TYPE),
)

_TABS = {"text/tab-separated-values", "text/tsv"}
_GZIP = {GZIP_MEDIA_TYPE, "application/x-gzip", "application/gzip-compressed"}
_KINDS: dict[str, Kind] = {
    PARQUET_MEDIA_TYPE: "parquet",
    "application/x-parquet": "parquet",
    "application/parquet": "parquet",
    ARROW_MEDIA_TYPE: "arrow",
    ARROW_STREAM_MEDIA_TYPE: "arrow",
}
_KNOWN = {*CSV_TYPES, *_TABS, *_GZIP, *_KINDS}


class RequestTable:
    """The bytes of the table in a request: its body, or the one file of a form.

    `kind`, `delimiter` and `charset` are what the Content-Type says, of the file if it is in a
    form: they are known when its first bytes have come.
    """

    def __init__(self, request: Request, next_chunk: Callable[[], bytes]) -> None:
        """Read the body from `next_chunk`. Raises `errors.Unsupported` for a type of no table."""
        self.kind: Kind | None = None
        self.delimiter: str | None = None
        self.charset = ""
        self._next_chunk = next_chunk
        self._form: MultipartFile | None = None
        self._typed = False
        content_type = request.headers.get("content-type", "")
        if bare_type(content_type) == MULTIPART_MEDIA_TYPE:
            _, parameters = parse_options_header(content_type)
            boundary = parameters.get(b"boundary", b"").decode("latin-1")
            self._form = MultipartFile(next_chunk, boundary)
        else:
            self._read_type(content_type)

    @classmethod
    def of(cls, request: Request) -> Self:
        """Return the table of a request, to be read by a thread while the event loop goes on.

        Raises `errors.Unsupported` for a type of no table.
        """
        chunks = request.stream()

        async def following() -> bytes:
            async for chunk in chunks:
                if chunk:
                    return chunk
            return b""

        return cls(request, lambda: anyio.from_thread.run(following))

    def next_chunk(self) -> bytes:
        """Return the next bytes of the table, and b"" after the last.

        Raises `errors.Unsupported` for a file whose type is of no table.
        """
        if self._form is None:
            return self._next_chunk()
        chunk = self._form.next_chunk()
        if not self._typed:
            self._read_type(self._form.content_type)
        return chunk

    def _read_type(self, content_type: str) -> None:
        """Note what a Content-Type says."""
        self._typed = True
        kind = bare_type(content_type)
        if kind not in _KNOWN:
            raise _unsupported(
                f"it is {cut(kind, 80)}, by its Content-Type; send CSV, Parquet or Arrow, with the "
                f"header Content-Type: {CSV_MEDIA_TYPE}, for example"
            )
        if content_type_parameter(content_type, "header") == "absent":
            raise _unsupported(
                "it has no header, by its Content-Type; add a first line with the names of the "
                "columns"
            )
        charset = content_type_parameter(content_type, "charset")
        if charset not in CHARSETS and charset not in WESTERN and charset not in WIDE:
            raise _unsupported(
                f"its charset is {cut(charset, 80)}, by its Content-Type; save it as UTF-8"
            )
        self.charset = charset
        self.kind = _KINDS.get(kind)
        self.delimiter = "\t" if kind in _TABS else None


def _unsupported(reason: str) -> errors.Unsupported:
    return errors.Unsupported("body", reason, media_types=", ".join(MEDIA_TYPES))
