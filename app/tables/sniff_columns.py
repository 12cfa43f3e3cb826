"""Find out from the first rows of a CSV its decimal character, and whether it has an index."""

import re
from collections.abc import Iterable, Iterator
from typing import Literal

from app import errors
from app.protocol.cells import means_missing
from app.protocol.wording import quoted
from app.tables.dialect import Decimal, Thousands
from app.tables.sniff_delimiter import Records

_END = r"(?:[eE][-+]?[0-9]+)?"
_WHOLE = re.compile(r"[-+]?[0-9]+" + _END)
# For each decimal character: cells with decimals, and cells that may also be groups of thousands.
_GROUPS = {",": r"[.' \u00a0\u202f\u2009]", ".": r"[,' \u00a0\u202f\u2009]"}
_SURE = {
    mark: re.compile(
        rf"[-+]?(?:[0-9]*{re.escape(mark)}[0-9]+{_END}"
        rf"|[0-9]{{1,3}}(?:{_GROUPS[mark]}[0-9]{{3}})+{re.escape(mark)}[0-9]+"
        rf"|[0-9]{{1,3}}(?:{re.escape(other)}[0-9]{{3}}){{2,}})"
    )
    for mark, other in ((",", "."), (".", ","))
}
_MAYBE = {mark: re.compile(rf"[-+]?[1-9][0-9]{{0,2}}{re.escape(mark)}[0-9]{{3}}") for mark in ",."}
_OTHER: dict[str, Decimal] = {",": ".", ".": ","}


def find_decimal(records: Records, thousands: Thousands | None) -> tuple[Decimal, bool]:
    """Return the character before the decimals, and whether no number has decimals so far.

    With commas between the fields it is the point. Raises `errors.Invalid` if the
    numbers can be read in two ways.
    """
    if thousands in (",", "."):
        return _OTHER[thousands], False
    if records.delimiter == ",":
        return ".", False
    sure: dict[str, str] = {}
    maybe: dict[str, str] = {}
    for cells in _columns(records):
        for mark, cell, certain in _evidence(cells):
            (sure if certain else maybe).setdefault(mark, cell)
    if len(sure) == 2:
        raise errors.Invalid(
            "decimal",
            f"there are numbers such as {quoted(sure[','])}, and such as {quoted(sure['.'])}; "
            "say decimal=, or decimal=.",
        )
    if sure:
        return (",", False) if "," in sure else (".", False)
    # Semicolons are used where a comma stands before the decimals.
    for mark in (",", ".") if records.delimiter == ";" else (",",):
        if mark in maybe:
            raise errors.Invalid(
                "decimal",
                f"the number {quoted(maybe[mark])} may have decimals or thousands; "
                f"say decimal={mark} or thousands={mark}",
            )
    return ".", not maybe


def _columns(records: Records) -> Iterator[list[str]]:
    """Yield the cells of each column, without the missing values."""
    for place in range(max(map(len, records.rows), default=0)):
        cells = (row[place].strip() for row in records.rows if place < len(row))
        yield [cell for cell in cells if not means_missing(cell)]


def _evidence(cells: Iterable[str]) -> list[tuple[str, str, bool]]:
    """Return the decimal characters in a column, each with a cell, and whether it is certain.

    A column with other texts than numbers proves nothing: its cells may be lists, or versions.
    """
    found = []
    for cell in cells:
        marks = [mark for mark in ",." if _SURE[mark].fullmatch(cell)]
        if not marks:
            if not _WHOLE.fullmatch(cell):
                return []
            continue
        found += [(mark, cell, not _MAYBE[mark].fullmatch(cell)) for mark in marks]
    return found


def find_index(
    records: Records, text: str, wanted: bool | None
) -> Literal["first", "extra"] | None:
    """Return which field of a row is its name, as data frames write it, or None.

    Either the first name of the header is empty, or the header has one field less than the rows.
    Raises `errors.Invalid` if `wanted` is None, the first name is empty, and the row names do not
    count the rows: the first field may be data then.
    """
    header, rows = records.header, records.rows
    if wanted is not None:
        return None if not wanted else "extra" if records.extra else "first"
    unnamed = len(header) > 1 and not header[0] and all(header[1:])
    if not rows or not (unnamed or records.extra):
        return None
    counted = [row[0] for row in rows]
    counts = any(counted == [str(first + at) for at in range(len(rows))] for first in (0, 1))
    if unnamed:
        if counts:
            return "first"
        raise errors.Invalid(
            "index",
            f"the first column has no name; if it holds row names, such as {quoted(counted[0])}, "
            "say index=true to leave them out; otherwise give it a name",
        )
    # R quotes row names; without quotes the first field may be a part of a number, as in 1,000.
    lines = text.splitlines()[1:]
    quotes = all(line.startswith('"') for line in lines if line.strip())
    return "extra" if counts and quotes else None
