"""Decode a message's body by its content_encoding and its header `compression`.

kombu, the library below Celery, writes a charset into content_encoding, and the name of the
compression into the header `compression` (kombu/compression.py).
"""

import bz2
import lzma
from collections.abc import Mapping
from typing import Any

from app import errors
from app.protocol.content_encoding import HTTP_CODINGS, Codings, decode

LZMA_MEMORY_BYTES = 100_000_000  # as much as its highest preset needs

_CODINGS: Codings = {
    **HTTP_CODINGS,
    "bzip2": lambda _: bz2.BZ2Decompressor(),
    "lzma": lambda _: lzma.LZMADecompressor(memlimit=LZMA_MEMORY_BYTES),
}

# JSON is UTF-8, and kombu's "binary" means bytes as they are.
_PLAIN = ("utf-8", "utf8", "us-ascii", "ascii", "binary", "identity")

# kombu's media types, and the names that its users know them by. Its gzip is zlib's format
# (RFC 1950), which HTTP calls deflate.
_KOMBU = {
    **dict.fromkeys(("application/x-gzip", "zlib"), "gzip"),
    **dict.fromkeys(("application/x-bz2", "bzip"), "bzip2"),
    **dict.fromkeys(("application/x-lzma", "xz"), "lzma"),
    **dict.fromkeys(("application/zstd", "zstandard"), "zstd"),
}
_GZIP_MAGIC = b"\x1f\x8b"  # RFC 1952 2.3.1


def encoding_of(content_encoding: object, headers: Mapping[Any, Any] | None) -> str | None:
    """Return the codings of a body as they were applied, separated by commas; None for UTF-8.

    The header `compression` was applied last. Any client may have written both.
    """
    written = (content_encoding, (headers or {}).get("compression"))
    names = [name.strip().lower() for each in written for name in _text(each).split(",")]
    codings = [_KOMBU.get(each, each) for each in names if each and each not in _PLAIN]
    return ", ".join(codings) or None


def decode_body(body: bytes, encoding: str, limit: int) -> bytes:
    """Return a body without the codings that `encoding_of` returned.

    Raises `errors.Unsupported`, or `Malformed` for damaged bytes, or `TooLarge` if any form of the
    body has more than `limit` bytes.
    """
    before, _, last = encoding.rpartition(", ")
    if last == "gzip" and not body.startswith(_GZIP_MAGIC):
        encoding = f"{before}, deflate"
    try:
        return decode(body, encoding, limit, _CODINGS)
    except errors.Unsupported as error:
        message = f"{error.message}, and the text as UTF-8"
        raise error.renamed("content_encoding", message) from None


def _text(written: object) -> str:
    """Return the value of a property as text; an absent one is empty."""
    if isinstance(written, bytes | bytearray):  # aiormq reads a byte array as the latter
        return written.decode("utf-8", "replace")
    return "" if written is None else str(written)
