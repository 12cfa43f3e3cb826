"""Check and count a CSV while it streams from a request to S3; it is never in memory as a whole."""

import codecs
import csv
import io
import re
from collections.abc import Callable

from app import errors

MAX_LINE = 1_000_000  # bytes


class CsvScan:
    """Reads a CSV chunk by chunk for its columns and the number of its rows."""

    def __init__(self) -> None:
        """Start before the first byte."""
        self.columns: list[str] = []
        self.rows = 0
        self._utf8 = codecs.getincrementaldecoder("utf-8")()
        self._line = b""  # the line that is not complete yet
        self._head: list[bytes] = []  # the header's lines: a quoted name may hold a newline
        self._quoted = False

    def feed(self, chunk: bytes, last: bool = False) -> None:
        """Check the next bytes. Raises `errors.Invalid` if they are not CSV."""
        try:
            self._utf8.decode(chunk, last)
        except UnicodeDecodeError as error:
            raise errors.Invalid("body", f"not UTF-8: {error.reason}") from None
        if b"\0" in chunk:
            raise errors.Invalid("body", "not a CSV: it has a NUL byte")
        *lines, self._line = (self._line + chunk).split(b"\n")
        if last and self._line:
            lines.append(self._line)
        if len(self._line) > MAX_LINE or sum(map(len, self._head)) > MAX_LINE:
            raise errors.Invalid("body", f"a line is longer than {MAX_LINE} bytes")
        for line in lines:
            self._see(line)
        if last and self._quoted:
            raise errors.Invalid("body", "a quoted field is never closed")
        if last and not self.columns:
            raise errors.Invalid("body", "empty; expected a CSV with a header")
        if last and not self.rows:
            raise errors.Invalid("body", "no row below the header")

    def _see(self, line: bytes) -> None:
        inside = self._quoted
        self._quoted = _left_open(line, inside)
        if self.columns:
            self.rows += not self._quoted and (inside or bool(line.strip()))
        elif inside or line.strip():
            self._head.append(line)
            if not self._quoted:
                self.columns = _columns(b"\n".join(self._head))


# A quote opens a quoted field only at the beginning of the field, so 5" (five inches) opens none.
_QUOTED = re.compile(rb'(^|,)"(?:[^"]|"")*+"')
_OPENED = re.compile(rb'(?:^|,)"')


def _left_open(line: bytes, inside: bool) -> bool:
    """Tell whether a quoted field continues after this line, which began `inside` one or not."""
    if b'"' not in line:
        return inside
    line = b'"' + line if inside else line.removeprefix(codecs.BOM_UTF8)
    return bool(_OPENED.search(_QUOTED.sub(rb"\1-", line)))


def _columns(header: bytes) -> list[str]:
    try:
        columns = next(csv.reader(io.StringIO(header.decode("utf-8-sig"), newline="")), [])
    except csv.Error as error:
        raise errors.Invalid("body", f"the header cannot be read: {error}") from None
    if not columns or not all(columns):
        raise errors.Invalid("body", "a column of the header has no name")
    if len(set(columns)) < len(columns):
        twice = sorted({name for name in columns if columns.count(name) > 1})
        raise errors.Invalid("body", f"columns named twice: {', '.join(twice)}")
    return columns


class CsvBody(io.RawIOBase):
    """The body as a file for S3's client; `scan` holds the columns and rows after the last read.

    `next_chunk` returns the next bytes of the body, and b"" after the last.
    """

    def __init__(self, next_chunk: Callable[[], bytes]) -> None:
        """Read from `next_chunk`."""
        self.scan = CsvScan()
        self.size = 0
        self._next_chunk = next_chunk
        self._left = b""
        self._ended = False

    def readable(self) -> bool:
        """Return True."""
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        """Fill `buffer` from the body. Raises `errors.Invalid`, which aborts the upload."""
        while not self._left and not self._ended:
            self._left = self._next_chunk()
            self.size += len(self._left)
            self._ended = not self._left
            self.scan.feed(self._left, last=self._ended)
        count = min(len(buffer), len(self._left))
        buffer[:count], self._left = self._left[:count], self._left[count:]
        return count
