"""Tell the text of a CSV outside of its quoted fields from that inside of them."""

import codecs
import re


class Quotes:
    """Finds the quoted fields of lines whose fields `delimiter` separates.

    A quote begins a quoted field only where the field begins, so 5" (five inches) begins none. A
    lone CR begins one, too, because it ends a row.
    """

    def __init__(self, delimiter: str) -> None:
        """Compile the patterns."""
        self._begin = delimiter.encode()
        begin = rb"([" + re.escape(self._begin) + rb"\r])"
        self._quoted = re.compile(begin + rb'"(?:[^"]++|"")++"')
        self._empty = re.compile(begin + rb'""(?!")')
        self._open = re.compile(begin + rb'"')
        # How a row ends whose last field is empty, in what `outside` returns.
        self.empty_ends = (self._begin, self._begin + b"\x01")

    def outside(self, line: bytes, *, inside: bool) -> tuple[bytes, bool]:
        """Return a line without the text of its quoted fields, and whether one of them stays open.

        `inside` tells that the line begins in one. In its place there is a minus, or a byte 1 if
        the field is empty.
        """
        if b'"' not in line:
            return (b"", True) if inside else (line, False)
        begin = self._begin + b'"' if inside else self._begin
        line = begin + line.removeprefix(codecs.BOM_UTF8)
        outside = self._empty.sub(b"\\1\x01", self._quoted.sub(rb"\1-", line))
        found = self._open.search(outside)
        return (outside[1 : found.start() + 1], True) if found else (outside[1:], False)


def is_plain(block: bytes) -> bool:
    """Tell whether each line is a row, and each delimiter separates two fields."""
    lone = b"\r" in block and block.count(b"\r") != block.count(b"\r\n")
    return b'"' not in block and not lone
