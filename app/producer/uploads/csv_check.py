"""Check a CSV in any dialect while it arrives."""

import re
import threading

from app import errors
from app.producer.uploads.csv_scan import CsvScan
from app.tables.sniff import Sniffed
from app.tables.text_decoder import TextDecoder

# One piece of an upload is scanned at a time, so that the event loop waits for one thread at most.
SCANNING = threading.Lock()

_LONGEST_NUMBER = 70  # bytes, with what is round it


class CsvCheck:
    """Decodes and scans the bytes of a CSV; `columns`, `rows` and `warnings` are known at the end.

    The text may have `limit` bytes when it is decompressed.
    """

    def __init__(self, sniffed: Sniffed, limit: int) -> None:
        """Start before the first byte."""
        dialect = sniffed.format.csv_dialect
        self._text = TextDecoder(dialect, limit, open_charset=sniffed.open_charset)
        self._scan = CsvScan(dialect)
        self._told = sniffed.warnings
        self._before = b"\n"  # the last bytes of the pieces before
        self._decimals = _commas_in_numbers(dialect.delimiter) if sniffed.open_decimal else None

    def feed(self, chunk: bytes) -> None:
        """Check the next bytes. Raises `errors.Invalid` or `TooLarge`."""
        pieces = self._text.feed(chunk)
        while True:
            with SCANNING:
                if (piece := next(pieces, None)) is None:
                    return
                self._check(piece)

    def end(self) -> None:
        """Check that the file is complete. Raises `errors.Invalid`."""
        with SCANNING:
            for piece in self._text.end():
                self._check(piece, last=True)

    @property
    def columns(self) -> list[str]:
        """Return the names of the columns."""
        return self._scan.columns

    @property
    def open_charset(self) -> bool:
        """Tell whether nothing has shown that the declared charset is right."""
        return self._text.open_charset

    @property
    def rows(self) -> int:
        """Return the number of rows."""
        return self._scan.rows

    @property
    def warnings(self) -> list[str]:
        """Return the probable mistakes that do not keep a training from using the CSV."""
        return [*self._told, *self._scan.warnings]

    def _check(self, piece: bytes, *, last: bool = False) -> None:
        if self._decimals:
            self._check_decimals(self._decimals, piece)
        self._scan.feed(piece, last=last)

    def _check_decimals(self, pattern: re.Pattern[bytes], piece: bytes) -> None:
        """Raise `errors.Invalid` for a number with a comma; a field may be cut into two pieces."""
        before = self._before
        self._before = (before + piece[-_LONGEST_NUMBER:])[-_LONGEST_NUMBER:]
        if b"," not in piece and b"," not in before:
            return
        if found := pattern.search(before + piece):
            raise errors.Invalid(
                "decimal",
                f'the first numbers have no decimals, but a later one is "{found[1].decode()}"; '
                "say decimal=, or decimal=.",
            )


def _commas_in_numbers(delimiter: str) -> re.Pattern[bytes]:
    """Return the pattern of a field that is a number with a comma in it."""
    edge = re.escape(delimiter.encode()) + rb"\r\n"
    return re.compile(rb'[%b]"?([-+]?[0-9]{1,30},[0-9]{1,30})"?(?=[%b])' % (edge, edge))
