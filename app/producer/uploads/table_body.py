"""Read a table from a request while S3 stores it; it is never in memory as a whole."""

import io
import tempfile
from typing import IO, Protocol

from app import errors
from app.datasets.version import Facts
from app.producer.uploads.csv_check import SCANNING, CsvCheck
from app.tables.dialect import DialectOptions, Kind, TableFormat
from app.tables.inspection import Inspect
from app.tables.sniff import SNIFF_BYTES, sniff

_NAMES = {"csv": "CSV", "parquet": "Parquet", "arrow": "Arrow"}
_SPOOL_READ_BYTES = 1_000_000


class TableSource(Protocol):
    """Where the bytes of a table come from. The type is known when the first bytes have come."""

    charset: str
    kind: Kind | None
    delimiter: str | None

    def next_chunk(self) -> bytes:
        """Return the next bytes, and b"" after the last."""


class TableBody(io.RawIOBase):
    """A table as a file for S3's client, checked while it is read.

    After the last read `format`, `columns`, `rows` and `warnings` are known, and the `size` in
    bytes. A CSV is checked chunk by chunk. Parquet and Arrow end with what tells how to read them,
    so that they go into a file first, which `inspect` reads.
    """

    def __init__(
        self, source: TableSource, options: DialectOptions, limit: int, inspect: Inspect
    ) -> None:
        """Read from `source`. The text of a compressed table may have `limit` bytes."""
        self.format = TableFormat.csv()
        self.columns: list[str] = []
        self.rows = self.size = 0
        self.warnings: list[str] = []
        self._source = source
        self._options = options
        self._limit = limit
        self._inspect = inspect
        self._untold: TableFormat | None = None  # as which it would be read if nothing were said
        self._check: CsvCheck | None = None
        self._spool: IO[bytes] | None = None
        self._left = b""
        self._ended = False

    def readable(self) -> bool:
        """Return True."""
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        """Fill `buffer` from the body. Raises `errors.Invalid`, which aborts the upload."""
        while not self._left and not self._ended:
            self._left = self._next()
        count = min(len(buffer), len(self._left))
        buffer[:count], self._left = self._left[:count], self._left[count:]
        return count

    def close(self) -> None:
        """Delete the file of a table that was not checked while it came."""
        if self._spool:
            self._spool.close()
        super().close()

    def facts(self) -> Facts:
        """Return what is known of the table after the last read."""
        found = self.format.model_dump(mode="json")
        told = None if self.format == self._untold else found
        return Facts(self.columns, self.rows, self.warnings, found, told)

    def _next(self) -> bytes:
        """Return the next checked bytes; note the end."""
        if self._spool:
            chunk = self._spool.read(_SPOOL_READ_BYTES)
            self._ended = not chunk
            return chunk
        if self._check is None:
            return self._begin()
        chunk = self._source.next_chunk()
        self._feed(self._check, chunk)
        return chunk

    def _begin(self) -> bytes:
        """Find out the format from the first bytes; return them, checked."""
        head, whole = self._read_head()
        options = self._options.model_copy(update={"charset": self._source.charset})
        if options.delimiter is None and self._source.delimiter:
            options = options.model_copy(update={"delimiter": self._source.delimiter})
        with SCANNING:
            sniffed = sniff(head, whole=whole, options=options)
            self._untold = sniffed.format
            if options != DialectOptions():
                self._untold = _format_without_options(head, whole=whole)
        self.format = sniffed.format
        kind = sniffed.format.kind
        if self._source.kind not in (None, kind):
            raise errors.Invalid(
                "body",
                f"it is {_NAMES[self._source.kind or kind]} by its Content-Type, but its first "
                "bytes say that it is not",
            )
        if kind != "csv":
            self._spool_table(head, kind, whole=whole)
            return b""
        self._check = CsvCheck(sniffed, self._limit)
        if head:
            self._feed(self._check, head)
        if whole:
            self._feed(self._check, b"")
        return head

    def _read_head(self) -> tuple[bytes, bool]:
        """Return the first bytes, and whether they are all."""
        head = bytearray()
        while len(head) < SNIFF_BYTES:
            if not (chunk := self._source.next_chunk()):
                return bytes(head), True
            head += chunk
        return bytes(head), False

    def _feed(self, check: CsvCheck, chunk: bytes) -> None:
        """Check the next bytes of a CSV; none are the end."""
        self.size += len(chunk)
        if chunk:
            check.feed(chunk)
            return
        check.end()
        if check.open_charset:  # it is all ASCII, which is UTF-8, too
            plain = self.format.csv_dialect.model_copy(update={"encoding": "utf-8"})
            self.format = TableFormat.csv(plain)
        self.columns, self.rows, self.warnings = check.columns, check.rows, check.warnings
        self._ended = True

    def _spool_table(self, head: bytes, kind: Kind, *, whole: bool) -> None:
        """Keep all bytes in a file, and inspect it."""
        if self._options.given:
            raise errors.Invalid(
                next(iter(self._options.model_dump(exclude={"charset"}, exclude_none=True))),
                f"it is an option of CSV, but the file is {_NAMES[kind]}; leave it out",
            )
        self._spool = file = tempfile.TemporaryFile()  # noqa: SIM115  `close` closes it
        try:
            chunk = head
            while chunk:
                file.write(chunk)
                self.size += len(chunk)
                chunk = b"" if whole else self._source.next_chunk()
            file.flush()
        except OSError as error:
            raise errors.StorageFull(f"the upload cannot be kept: {error.strerror}") from error
        found = self._inspect(file, kind, self._limit)
        self.columns, self.rows, self.warnings = found.columns, found.rows, found.warnings
        file.seek(0)


def _format_without_options(head: bytes, *, whole: bool) -> TableFormat | None:
    """Return the format that the first bytes of a file say; None if an option has to say it."""
    try:
        return sniff(head, whole=whole).format
    except errors.Invalid:
        return None
