"""Decode bodies that are compressed on their way: HTTP's Content-Encoding (RFC 9110 8.4)."""

import lzma
import sys
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Protocol

from app import errors

PIECE = 250_000  # decoded bytes at a time; a bomb takes no more memory
MAX_CODINGS = 3
_SLICE = 16_000  # bytes decoded at a time, because the libraries copy what they leave over


class _Stream(Protocol):
    """Decodes one stream, as the objects of `zlib` and `compression.zstd` do."""

    def decompress(self, data: bytes, max_length: int, /) -> bytes:
        """Return at most `max_length` decoded bytes."""

    @property
    def eof(self) -> bool:
        """Tell whether the stream has ended."""


def _gzip(_: int) -> _Stream:
    return zlib.decompressobj(16 + zlib.MAX_WBITS)


def _deflate(first: int) -> _Stream:
    """Read zlib's format (RFC 1950), or bare deflate (RFC 1951), which some clients send.

    Only zlib's first byte ends in 8.
    """
    return zlib.decompressobj(zlib.MAX_WBITS if first & 0x0F == 8 else -zlib.MAX_WBITS)


Codings = Mapping[str, Callable[[int], _Stream]]  # each begins a stream, given its first byte

HTTP_CODINGS: dict[str, Callable[[int], _Stream]] = {"gzip": _gzip, "deflate": _deflate}
_FAILURES: tuple[type[Exception], ...] = (zlib.error, lzma.LZMAError, OSError)  # OSError: bz2

if sys.version_info >= (3, 14):
    from compression import zstd

    def _zstd(_: int) -> _Stream:
        options: dict[int, int] = {zstd.DecompressionParameter.window_log_max: 23}  # RFC 9659: 8 MB
        return zstd.ZstdDecompressor(options=options)

    HTTP_CODINGS["zstd"] = _zstd
    _FAILURES = (*_FAILURES, zstd.ZstdError)

ACCEPTED = ", ".join(HTTP_CODINGS)  # as the header Accept-Encoding names them


def decode(body: bytes, encoding: str, limit: int, codings: Codings = HTTP_CODINGS) -> bytes:
    """Return a body without the codings that `encoding` lists. Raises the errors of `Decoder`."""
    decoder = Decoder(encoding, limit, codings)
    whole = b"".join(decoder.feed(body))
    decoder.end()
    return whole


class Decoder:
    """Decodes a body that arrives in chunks. No form of it may be longer than `limit` bytes."""

    def __init__(self, encoding: str, limit: int, codings: Codings = HTTP_CODINGS) -> None:
        """Start before the first byte. `encoding` lists the codings as they were applied.

        Raises `errors.Unsupported` if one is unknown, or if there are more than `MAX_CODINGS`.
        """
        names = [each.strip().lower().removeprefix("x-") for each in encoding.split(",")]
        names = [each for each in names if each not in ("", "identity")]
        for name in names:
            if name not in codings:
                raise _unsupported(f"the content encoding {name[:80]!r} is unknown")
        if len(names) > MAX_CODINGS:
            raise _unsupported(f"it is encoded {len(names)} times; at most {MAX_CODINGS} are read")
        self._limit = limit
        self._size = 0
        self._stages = [_Stage(name, codings[name], limit) for name in reversed(names)]

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        """Yield what the next bytes decode to, in pieces of at most `PIECE` bytes; some are empty.

        Raises `errors.TooLarge`, or `errors.Malformed` if the bytes are damaged.
        """
        self._size += len(chunk)
        if self._size > self._limit:
            raise _too_large(self._limit)
        pieces: Iterator[bytes] = iter([chunk])
        for stage in self._stages:
            pieces = stage.feed(pieces)
        return pieces

    def end(self) -> None:
        """Raise `errors.Malformed` if the body was cut off. An empty body is complete."""
        if self._size:
            for stage in self._stages:
                stage.end()


class _Stage:
    """Decodes one coding. Streams may follow each other: gzip's members, zstd's frames."""

    def __init__(self, name: str, begin: Callable[[int], _Stream], limit: int) -> None:
        self._name = name
        self._begin_stream = begin
        self._limit = limit
        self._size = 0
        self._stream: _Stream | None = None
        self._follows = False  # another stream
        self._blank = True  # nothing of this stream is decoded yet

    def feed(self, pieces: Iterable[bytes]) -> Iterator[bytes]:
        """Yield what the next bytes decode to."""
        for piece in pieces:
            for begin in range(0, len(piece), _SLICE):
                yield from self._decode(piece[begin : begin + _SLICE])

    def end(self) -> None:
        """Raise `errors.Malformed` if the stream is incomplete."""
        if self._stream is None or not self._stream.eof:
            raise self._damaged("they end too early, the body was cut off")

    def _decode(self, data: bytes) -> Iterator[bytes]:
        more = True
        while more:
            if self._stream is None or self._stream.eof:
                self._begin(data)
            assert self._stream is not None
            try:
                piece = self._stream.decompress(data, PIECE)
            except _FAILURES as error:
                raise self._damaged(str(error).rpartition(": ")[2]) from None
            self._blank = self._blank and not piece
            self._size += len(piece)
            if self._size > self._limit:
                raise _too_large(self._limit)
            yield piece
            ended = self._stream.eof
            # zlib gives back what it has not read yet, the others keep it.
            rest = "unused_data" if ended else "unconsumed_tail"
            data = getattr(self._stream, rest, b"")
            more = bool(data) or (len(piece) == PIECE and not ended)

    def _begin(self, data: bytes) -> None:
        self._follows = self._stream is not None
        self._blank = True
        if self._follows and self._name == "deflate":
            raise self._damaged("")
        self._stream = self._begin_stream(data[0])

    def _damaged(self, reason: str) -> errors.Malformed:
        name = self._name
        if self._blank and self._follows:
            return errors.Malformed("body", f"bytes that are not {name} follow its {name} data")
        return errors.Malformed("body", f"the {name} data cannot be decoded: {reason}")


def _unsupported(reason: str) -> errors.Unsupported:
    return errors.Unsupported("body", f"{reason}; send {ACCEPTED} or none", encodings=ACCEPTED)


def _too_large(limit: int) -> errors.TooLarge:
    return errors.TooLarge("body", f"over the limit of {limit} bytes when decoded", limit=limit)
