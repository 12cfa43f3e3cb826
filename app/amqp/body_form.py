"""Read the form of a message's body: its content_type, content_encoding and `compression`.

kombu, the library below Celery, writes a charset into content_encoding and how it compressed the
body into the header `compression` (kombu/compression.py).
"""

import bz2
import lzma
from collections.abc import Mapping
from typing import Any

from app import errors
from app.protocol.content_encoding import ACCEPTED, HTTP_CODINGS, decode
from app.protocol.media_types import media_type
from app.protocol.types import JSON_MEDIA_TYPE, NDJSON_MEDIA_TYPE

LZMA_MEMORY_BYTES = 100_000_000  # as much as its highest preset needs

# JSON is UTF-8, and kombu's "binary" means bytes as they are.
_PLAIN = ("utf-8", "utf8", "us-ascii", "ascii", "binary", "identity")

# kombu's media types, and the names that its users know them by. What it calls gzip is zlib's
# format (RFC 1950), which HTTP calls deflate.
_KOMBU = {
    **dict.fromkeys(("application/x-gzip", "zlib"), "gzip"),
    **dict.fromkeys(("application/x-bz2", "bzip"), "bzip2"),
    **dict.fromkeys(("application/x-lzma", "xz"), "lzma"),
    **dict.fromkeys(("application/zstd", "zstandard"), "zstd"),
}
_GZIP_MAGIC = b"\x1f\x8b"  # RFC 1952 2.3.1

_CODINGS = {
    **HTTP_CODINGS,
    "bzip2": lambda _: bz2.BZ2Decompressor(),
    "lzma": lambda _: lzma.LZMADecompressor(memlimit=LZMA_MEMORY_BYTES),
}


def is_json_lines(content_type: object) -> bool:
    """Tell whether a content_type, as any client may have written it, means JSON lines."""
    if content_type == NDJSON_MEDIA_TYPE:
        return True
    if content_type == JSON_MEDIA_TYPE or not isinstance(content_type, str):
        return False
    return media_type(content_type) == NDJSON_MEDIA_TYPE


def encoding_of(content_encoding: object, headers: Mapping[Any, Any] | None) -> str | None:
    """Return the codings of a body as they were applied, separated by commas; None for UTF-8.

    The header `compression` was applied last. Any client may have written both.
    """
    written = (content_encoding, (headers or {}).get("compression"))
    names = [name.strip().lower() for each in written for name in _text(each).split(",")]
    return (
        ", ".join(_KOMBU.get(each, each) for each in names if each and each not in _PLAIN) or None
    )


def decode_body(body: bytes, encoding: str, limit: int) -> bytes:
    """Return a body without its codings, as `encoding_of` returns them.

    Raises `errors.Unsupported`, or `Malformed` for damaged bytes, or `TooLarge` if any form of the
    body has more than `limit` bytes.
    """
    before, _, last = encoding.rpartition(", ")
    if last == "gzip" and not body.startswith(_GZIP_MAGIC):
        encoding = f"{before}, deflate"
    try:
        return decode(body, encoding, limit, _CODINGS)
    except errors.Unsupported as error:
        detail = f"{error.message} (kombu's bzip2 and lzma are read, too), and the text as UTF-8"
        raise errors.Unsupported("content_encoding", detail, encodings=ACCEPTED) from None


def _text(written: object) -> str:
    """Return what a client wrote as text; an absent value is empty."""
    if isinstance(written, bytes | bytearray):  # aiormq reads a byte array as the latter
        return written.decode("utf-8", "replace")
    return "" if written is None else str(written)
