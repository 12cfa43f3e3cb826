"""Make a zip archive while it is read, so that it is never held as a whole."""

from collections.abc import Generator, Mapping
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

from app.storage.object_stream import ObjectStream

PIECE_BYTES = 1_000_000
_DATE = (1980, 1, 1, 0, 0, 0)  # the first of the format: the archive is the same each time
_MODE = 0o644 << 16


class _Sink:
    """A file that can only be written; `take` returns what has been written since."""

    def __init__(self) -> None:
        self._written = bytearray()

    def write(self, data: bytes, /) -> int:
        self._written += data
        return len(data)

    def flush(self) -> None:
        """Do nothing."""

    def close(self) -> None:
        """Do nothing."""

    def take(self) -> bytes:
        taken, self._written = bytes(self._written), bytearray()
        return taken


class ZipStream:
    """An archive of small `files` and of one large one, `name`, which `content` holds.

    Its `size` is not known before it ends. One thread at a time may read it.
    """

    size: int | None = None

    def __init__(self, files: Mapping[str, bytes], name: str, content: ObjectStream) -> None:
        """Read `content` as this is read, and close it with this."""
        self._content = content
        self._pieces = self._write(files, name)
        self._left = b""

    def read(self, size: int) -> bytes:
        """Return the next `size` bytes at most, b"" at the end.

        Raises `errors.StorageUnavailable`.
        """
        while not self._left and (piece := next(self._pieces, None)) is not None:
            self._left = piece
        found, self._left = self._left[:size], self._left[size:]
        return found

    def close(self) -> None:
        """Close the content; what is left is not made."""
        self._pieces.close()
        self._content.close()

    def _write(self, files: Mapping[str, bytes], name: str) -> Generator[bytes]:
        """Yield the bytes of the archive, perhaps none after some of the content."""
        sink = _Sink()
        with ZipFile(sink, "w") as archive:
            for each, content in sorted(files.items()):
                archive.writestr(_member(each), content)
            member = _member(name)
            member.file_size = self._content.size or 0  # tells whether it needs 64 bits
            with archive.open(member, "w") as file:
                while piece := self._content.read(PIECE_BYTES):
                    file.write(piece)
                    yield sink.take()
        yield sink.take()


def _member(name: str) -> ZipInfo:
    found = ZipInfo(name, _DATE)
    found.compress_type, found.external_attr = ZIP_DEFLATED, _MODE
    return found
