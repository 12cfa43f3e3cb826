"""Check that a training can read a CSV, chunk by chunk while it arrives."""

import codecs
import re

from app import errors
from app.producer.http import csv_header
from app.protocol import content_sniffing

MAX_LINE = 1_000_000  # bytes

_CR_ONLY = "its lines end in CR alone, as on old Macs; save it with line ends of LF or CR LF"


class CsvScan:
    """Reads a CSV chunk by chunk for its columns and the number of its rows.

    A row may have fewer fields than the header; the rest counts as missing. It may have one more
    that is empty, if the first row has it, too. pandas reads such files alike.
    """

    def __init__(self) -> None:
        """Start before the first byte."""
        self.columns: list[str] = []
        self.rows = 0
        self._head = b""  # of the file
        self._rest = b""  # of the last chunk: a line that is not complete yet
        self._lines = 0
        self._alone = False  # the first line: no line break is in the file
        self._header: list[bytes] = []  # lines, because a quoted name may hold a line break
        self._header_size = 0
        self._quoted_since = 0  # the line where the open quoted field begins; 0 if none is open
        self._commas = 0  # of the row so far
        self._width = 0  # fields that a row may have
        self._short_rows: tuple[int, int] | None = None  # the line of the first, and their number

    def feed(self, chunk: bytes, last: bool = False) -> None:
        """Check the next bytes. Raises `errors.Invalid` if a training could not read them."""
        data = self._rest + chunk
        if not self._head and len(data) < content_sniffing.HEAD_BYTES and not last:
            self._rest = data
            return
        self._head = self._head or data[: content_sniffing.HEAD_BYTES]
        complete = len(data) if last else data.rfind(b"\n") + 1
        block, self._rest = data[:complete], data[complete:]
        self._alone = last and not self._lines and not csv_header.has_line_break(block)
        self._check_text(block)
        self._check_lines(block)
        if len(self._rest) > MAX_LINE:
            raise self._too_long()
        if last:
            self._check_end()

    @property
    def warnings(self) -> list[str]:
        """Return the probable mistakes that do not keep a training from using the CSV."""
        found = csv_header.suspect_names(self.columns)
        if self._short_rows:
            line, count = self._short_rows
            found.append(
                f"rows with fewer fields than the header: {count}, the first in line {line}; what "
                "they lack counts as missing"
            )
        return found

    def _invalid(self, problem: str) -> errors.Invalid:
        """Return the error, which is about the format of the whole file if that is no CSV."""
        return errors.Invalid("body", content_sniffing.describe(self._head, "CSV") or problem)

    def _too_long(self) -> errors.Invalid:
        """Return the error of a line that is too long, which may be many lines in one."""
        problem = f"a line is longer than {MAX_LINE} bytes"
        if not self._lines:
            lone = b"\r" in self._rest
            problem = _CR_ONLY if lone else f"{problem}; {csv_header.CURL_JOINED}"
        return self._invalid(problem)

    def _check_text(self, block: bytes) -> None:
        try:
            block.decode()
        except UnicodeDecodeError as error:
            problem = content_sniffing.describe_undecodable(error, self._lines)
            raise self._invalid(problem) from None
        if b"\0" in block:
            line = self._lines + block.count(b"\n", 0, block.index(b"\0")) + 1
            raise self._invalid(f"line {line} has a NUL byte, which no CSV has")

    def _check_lines(self, block: bytes) -> None:
        lines = block.split(b"\n")
        if not lines[-1]:
            lines.pop()
        if not lines:
            return
        if self._quoted_since and b'"' not in block and max(map(len, lines)) <= MAX_LINE:
            self._check_quoted(block, len(lines))
            return
        commas = len(self.columns) - 1
        plain = self.rows and commas and not self._quoted_since and _is_plain(block)
        if plain and {line.count(b",") for line in lines} == {commas}:
            self.rows += len(lines)
            self._lines += len(lines)
        else:
            for line in lines:
                self._check_line(line)

    def _check_quoted(self, block: bytes, lines: int) -> None:
        """Check lines that lie inside of a quoted field."""
        self._lines += lines
        if not self.columns:
            self._add_to_header(block.removesuffix(b"\n"))

    def _check_line(self, line: bytes) -> None:
        if len(line) > MAX_LINE:  # it came in one chunk
            raise self._too_long()
        self._lines += 1
        outside, is_open = _outside_quotes(line.removesuffix(b"\r"), bool(self._quoted_since))
        self._quoted_since = (self._quoted_since or self._lines) if is_open else 0
        if not self.columns:
            self._check_header(line, outside)
            return
        *rows, outside = outside.split(b"\r")  # pandas ends a row at a lone CR, too
        for row in rows:
            self._check_row(row)
        if is_open:
            self._commas += outside.count(b",")
        else:
            self._check_row(outside)

    def _check_header(self, line: bytes, outside: bytes) -> None:
        if not self._header and not line.removeprefix(codecs.BOM_UTF8).strip():
            return
        if b"\r" in outside.strip(b"\r"):
            raise self._invalid(_CR_ONLY)
        self._add_to_header(line)
        if not self._quoted_since:
            self.columns = csv_header.read_header(b"\n".join(self._header), self._alone)

    def _add_to_header(self, text: bytes) -> None:
        self._header.append(text)
        self._header_size += len(text) + 1
        if self._header_size > MAX_LINE:
            problem = f"the quoted field that begins in line {self._quoted_since} is longer than"
            raise self._invalid(f"{problem} {MAX_LINE} bytes; it is probably never closed")

    def _check_row(self, outside: bytes) -> None:
        """Check the last line of a row; `outside` is its text outside of quotes."""
        if not self._commas and not outside.strip(b" \t"):
            return
        fields = self._commas + outside.count(b",") + 1
        self._commas = 0
        count = len(self.columns)
        self.rows += 1
        blank_end = fields == count + 1 and outside.endswith(_EMPTY_ENDS)
        if self.rows == 1:
            self._check_first_row(outside, fields, blank_end)
        if fields > self._width or (fields > count and not blank_end):
            raise errors.Invalid(
                "body",
                f"line {self._lines} has {fields} fields, but the header has {count} names; "
                f"{csv_header.QUOTES}",
            )
        if fields < count:
            first, number = self._short_rows or (self._lines, 0)
            self._short_rows = (first, number + 1)

    def _check_first_row(self, outside: bytes, fields: int, blank_end: bool) -> None:
        self._width = fields if blank_end else len(self.columns)
        if not blank_end:
            row = outside.decode()
            if problem := csv_header.first_row_problem(self.columns, row, self._lines, fields):
                raise errors.Invalid("body", problem)

    def _check_end(self) -> None:
        if line := self._quoted_since:
            problem = f"the quoted field that begins in line {line} is never closed"
            raise errors.Invalid("body", problem)
        if not self.columns:
            raise errors.Invalid("body", "empty; expected a CSV with a header")
        if not self.rows:
            raise errors.Invalid("body", "no row below the header")
        like = csv_header.is_count_line(self.columns, len(self.columns))
        if like and self.rows == int(self.columns[0]):
            raise errors.Invalid("body", csv_header.count_line(self.columns))


# A quote begins a quoted field only where the field begins, so 5" (five inches) begins none. A lone
# CR begins one, too, because it ends a row.
_QUOTED = re.compile(rb'([,\r])"(?:[^"]++|"")++"')
_EMPTY = re.compile(rb'([,\r])""(?!")')
_OPEN = re.compile(rb'[,\r]"')
_EMPTY_ENDS = (b",", b",\x01")


def _outside_quotes(line: bytes, inside: bool) -> tuple[bytes, bool]:
    """Return a line without the text of its quoted fields, and whether one of them stays open.

    `inside` tells that the line begins in one. In its place there is a minus, or a byte 1 if the
    field is empty.
    """
    if b'"' not in line:
        return (b"", True) if inside else (line, False)
    line = (b',"' if inside else b",") + line.removeprefix(codecs.BOM_UTF8)
    outside = _EMPTY.sub(b"\\1\x01", _QUOTED.sub(rb"\1-", line))
    begin = _OPEN.search(outside)
    return (outside[1 : begin.start() + 1], True) if begin else (outside[1:], False)


def _is_plain(block: bytes) -> bool:
    """Tell whether each line is a row, and each comma separates two fields."""
    lone = b"\r" in block and block.count(b"\r") != block.count(b"\r\n")
    return b'"' not in block and not lone
