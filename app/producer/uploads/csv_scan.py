"""Check that a training can read a CSV, chunk by chunk while it arrives."""

import codecs

from app import errors
from app.producer.uploads import csv_header
from app.producer.uploads.csv_quotes import Quotes, is_plain
from app.protocol import content_sniffing
from app.tables.dialect import Dialect
from app.tables.odd_names import suspect_names

MAX_LINE = 1_000_000  # bytes
PLAIN = Dialect()

_LINE_ENDS = "the header has a CR; save the file with line ends of LF or CR LF"
_ENCODINGS = "save it as UTF-8, or say encoding=windows-1252 if it is that"


class CsvScan:
    """Reads a CSV chunk by chunk for its columns and the number of its rows.

    A row may have fewer fields than the header; the rest counts as missing. It may have one more
    that is empty, if the first row has it, too. pandas reads such files alike. `columns` leaves
    out the names of the rows, if the dialect has an `index`.
    """

    def __init__(self, dialect: Dialect = PLAIN) -> None:
        """Start before the first byte of a text in UTF-8, whose lines end in LF or CR LF."""
        self._dialect = dialect
        self._delimiter = dialect.delimiter.encode()
        self._quotes = Quotes(dialect.delimiter)
        self._blanks = b" \t".replace(self._delimiter, b"")
        self._names: list[str] = []  # of the header
        self.rows = 0
        self._head = b""  # of the file
        self._rest = b""  # of the last chunk: a line that is not complete yet
        self._lines = 0
        self._alone = False  # the first line: no line break is in the file
        self._header: list[bytes] = []  # lines, because a quoted name may hold a line break
        self._header_size = 0
        self._quoted_since = 0  # the line where the open quoted field begins; 0 if none is open
        self._separators = 0  # of the row so far
        self._row_names = int(dialect.index == "extra")  # fields without a name in the header
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
    def columns(self) -> list[str]:
        """Return the names of the columns; none before the header has come."""
        return self._names[1:] if self._dialect.index == "first" else self._names

    @property
    def warnings(self) -> list[str]:
        """Return the probable mistakes that do not keep a training from using the CSV."""
        found = suspect_names(self.columns)
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
            problem = f"{problem}; {csv_header.CURL_JOINED}"
        return self._invalid(problem)

    def _check_text(self, block: bytes) -> None:
        try:
            block.decode()
        except UnicodeDecodeError as error:
            problem = content_sniffing.describe_undecodable(error, self._lines, _ENCODINGS)
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
        separators = len(self._names) + self._row_names - 1
        plain = self.rows and separators > 0 and not self._quoted_since and is_plain(block)
        if plain and {line.count(self._delimiter) for line in lines} == {separators}:
            self.rows += len(lines)
            self._lines += len(lines)
        else:
            for line in lines:
                self._check_line(line)

    def _check_quoted(self, block: bytes, lines: int) -> None:
        """Check lines that lie inside of a quoted field."""
        self._lines += lines
        if not self._names:
            self._add_to_header(block.removesuffix(b"\n"))

    def _check_line(self, line: bytes) -> None:
        if len(line) > MAX_LINE:  # it came in one chunk
            raise self._too_long()
        self._lines += 1
        if self._lines <= self._dialect.skipped_lines:
            return
        bare = line.removesuffix(b"\r")
        outside, is_open = self._quotes.outside(bare, inside=bool(self._quoted_since))
        self._quoted_since = (self._quoted_since or self._lines) if is_open else 0
        if not self._names:
            self._check_header(line, outside)
            return
        *rows, outside = outside.split(b"\r")  # pandas ends a row at a lone CR, too
        for row in rows:
            self._check_row(row)
        if is_open:
            self._separators += outside.count(self._delimiter)
        else:
            self._check_row(outside)

    def _check_header(self, line: bytes, outside: bytes) -> None:
        if not self._header and not line.removeprefix(codecs.BOM_UTF8).strip():
            return
        if b"\r" in outside.strip(b"\r"):
            raise self._invalid(_LINE_ENDS)
        self._add_to_header(line)
        if not self._quoted_since:
            header = b"\n".join(self._header)
            self._names = csv_header.read_header(header, self._alone, self._dialect)

    def _add_to_header(self, text: bytes) -> None:
        self._header.append(text)
        self._header_size += len(text) + 1
        if self._header_size > MAX_LINE:
            problem = f"the quoted field that begins in line {self._quoted_since} is longer than"
            raise self._invalid(f"{problem} {MAX_LINE} bytes; it is probably never closed")

    def _check_row(self, outside: bytes) -> None:
        """Check the last line of a row; `outside` is its text outside of quotes."""
        if not self._separators and not outside.strip(self._blanks):
            return
        fields = self._separators + outside.count(self._delimiter) + 1
        self._separators = 0
        self.rows += 1
        ends_empty = outside.endswith(self._quotes.empty_ends)
        if self.rows == 1:
            self._check_first_row(outside, fields, ends_empty)
        count = len(self._names) + self._row_names
        if fields > self._width or (fields > count and not ends_empty):
            raise errors.Invalid(
                "body",
                f"line {self._lines} has {fields} fields, but the header has {len(self._names)} "
                f"names; {csv_header.quotes_remedy(self._dialect)}",
            )
        if fields < count:
            first, number = self._short_rows or (self._lines, 0)
            self._short_rows = (first, number + 1)

    def _check_first_row(self, outside: bytes, fields: int, ends_empty: bool) -> None:
        count = len(self._names) + self._row_names
        ends_empty = ends_empty and fields == count + 1
        self._width = fields if ends_empty else count
        if not ends_empty and not self._row_names:
            problem = csv_header.first_row_problem(
                self._names, outside.decode(), self._lines, fields, self._dialect
            )
            if problem:
                raise errors.Invalid("body", problem)

    def _check_end(self) -> None:
        if line := self._quoted_since:
            problem = f"the quoted field that begins in line {line} is never closed"
            raise errors.Invalid("body", problem)
        if not self._names:
            raise errors.Invalid("body", "empty; expected a CSV with a header")
        if not self.rows:
            raise errors.Invalid("body", "no row below the header")
        like = csv_header.is_count_line(self._names, len(self._names))
        if like and self.rows == int(self._names[0]):
            raise errors.Invalid("body", csv_header.count_line(self._names))
