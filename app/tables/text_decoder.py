"""Decode the bytes of a CSV, as they arrive, into UTF-8 with line ends of LF or CR LF."""

import codecs
import re
from collections.abc import Iterable, Iterator

from app import errors
from app.protocol.content_encoding import Decoder
from app.tables.dialect import Dialect

_NAMES = {"windows-1252": "Windows-1252"}
_ASCII = bytes(range(128))
_LONGEST = 4  # bytes of a character
# A character of UTF-8 beyond ASCII (RFC 3629).
_UTF8 = re.compile(rb"[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3}")


class TextDecoder:
    """Decodes a CSV chunk by chunk; its text may have `limit` bytes when it is decompressed.

    With `open_charset` the encoding is Windows-1252 unless the first text beyond ASCII is UTF-8.
    """

    def __init__(self, dialect: Dialect, limit: int, *, open_charset: bool = False) -> None:
        """Start before the first byte."""
        self._unzip = Decoder("gzip", limit) if dialect.compression else None
        self._encoding = dialect.encoding
        self._decoder: codecs.IncrementalDecoder | None = None
        if dialect.encoding != "utf-8":
            self._decoder = codecs.getincrementaldecoder(dialect.encoding)()
        self._cr = dialect.line_end == "cr"
        self.open_charset = open_charset  # True while the text is ASCII so far
        self._seen = b""  # the first bytes beyond ASCII
        self._read = 0

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        """Yield the next pieces of the text. Raises `errors.Invalid` or `TooLarge`."""
        pieces: Iterable[bytes] = self._unzip.feed(chunk) if self._unzip else [chunk]
        try:
            for piece in pieces:
                yield self._decode(piece, final=False)
        except errors.Malformed as error:
            raise errors.Invalid("body", error.message) from None

    def end(self) -> Iterator[bytes]:
        """Yield the last piece. Raises `errors.Invalid` if the file was cut off."""
        try:
            if self._unzip:
                self._unzip.end()
        except errors.Malformed as error:
            raise errors.Invalid("body", error.message) from None
        yield self._decode(b"", final=True)

    def _decode(self, piece: bytes, *, final: bool) -> bytes:
        if self.open_charset and (self._seen or not piece.isascii()):
            self._check_charset(piece)
        if self._decoder:
            try:
                text = self._decoder.decode(piece, final)
            except UnicodeDecodeError as error:
                raise self._undecodable(error) from None
            self._read += len(piece)
            piece = text.encode()
        return piece.replace(b"\r", b"\n") if self._cr else piece

    def _check_charset(self, piece: bytes) -> None:
        """Raise `errors.Invalid` if the first text beyond ASCII is UTF-8."""
        seen = self._seen + piece
        begin = len(seen) - len(seen.lstrip(_ASCII))
        if len(seen) - begin < _LONGEST:
            self._seen = seen[begin:]  # the piece may have cut a character
            return
        self.open_charset = False
        if _UTF8.match(seen, begin):
            raise errors.Invalid(
                "encoding",
                "the charset is Windows-1252 or Latin-1 by the Content-Type, but the text is "
                "probably UTF-8; say encoding=utf-8 or encoding=windows-1252",
            )

    def _undecodable(self, error: UnicodeDecodeError) -> errors.Invalid:
        name = _NAMES.get(self._encoding, self._encoding.upper())
        if "end of data" in error.reason or "truncated" in error.reason:
            return errors.Invalid("body", f"the text ends within a character of {name}")
        place = self._read + error.start + 1
        return errors.Invalid(
            "body", f"byte {place:,} of the text is not {name}; name its encoding, or save as UTF-8"
        )
