"""Read the header of a CSV. An error or warning names the usual mistake, with the remedy."""

import csv
import io
import re
from collections.abc import Sequence

from app import errors
from app.protocol import content_sniffing
from app.protocol.wording import cut, listed, repeated
from app.tables.dialect import Dialect
from app.tables.odd_names import NUMBER, shown_names

_SEPARATORS = {";": "semicolons", "\t": "tabs", "|": "vertical bars", '" "': "blanks"}
_OPTIONS = {";": "delimiter=;", "\t": "delimiter=tab", "|": "delimiter=pipe"}
_FIELDS = {",": "a comma", ";": "a semicolon", "\t": "a tab", "|": "a vertical bar"}
_COUNT = re.compile("[0-9]{1,9}")
CURL_JOINED = "curl's -d removes line breaks, use -T or --data-binary"
_INDEX = "say index=true to leave them out"


def quotes_remedy(dialect: Dialect) -> str:
    """Return what to do with a field that holds the delimiter."""
    return f"put quotes round a field that holds {_FIELDS[dialect.delimiter]}"


def read_header(header: bytes, alone: bool, dialect: Dialect) -> list[str]:
    """Return the names of the columns, with that of an index. Raises `errors.Invalid`.

    `header` is the first line that is not blank, or more lines if a quoted name has line breaks.
    If it stands `alone`, the whole file has no line break.
    """
    if what := content_sniffing.describe(header, "CSV"):
        raise errors.Invalid("body", what)
    if content_sniffing.JSON_START.match(header):
        raise errors.Invalid("body", "it is JSON; send CSV")
    if alone:
        raise errors.Invalid("body", f"no row below the header; {CURL_JOINED}")
    text = header.decode("utf-8-sig")
    lines = io.StringIO(text, newline="")
    try:
        names = next(csv.reader(lines, delimiter=dialect.delimiter), [])
    except csv.Error:  # its limit is 131,072 characters
        raise errors.Invalid("body", "a name in the header is too long") from None
    index = dialect.index == "first"
    problem = (
        _wrong_delimiter(text, names)
        or _unnamed(names, index=index)
        or ("there is no column but the one of row names" if index and len(names) == 1 else None)
        or _twice(names[1:] if index else names)
    )
    if problem:
        raise errors.Invalid("body", problem)
    return names if dialect.line_end == "lf" else [name.replace("\n", "\r") for name in names]


def first_row_problem(
    columns: Sequence[str], row: str, line: int, fields: int, dialect: Dialect
) -> str | None:
    """Return why the first row cannot belong to this header, or None. It is on this `line`."""
    quotes = quotes_remedy(dialect)
    count = len(columns)
    if is_count_line(columns, fields) and fields != count:
        return count_line(columns)
    if fields > count:
        names = "1 name" if count == 1 else f"{count} names"
        remedy = f"if the first fields are row names, {_INDEX}; {quotes}"
        if count == 1:
            remedy = "if the header is a title or a comment, remove it"
        elif fields > count + 1:
            remedy = quotes
        return f"the header has {names}, but line {line} has {fields} fields; {remedy}"
    words = len(row.split())
    if count == 1 and 1 < len(columns[0].split()) in (words, words - 1) and _has_number(row):
        return _separated_by("blanks")
    return None


def is_count_line(columns: Sequence[str], fields: int) -> bool:
    """Tell whether the first line has the form of the one in scikit-learn's own data files.

    It holds the number of rows and of features, and then the labels. Rows have `fields` fields.
    """
    counts = columns[:2]
    return all(map(_COUNT.fullmatch, counts)) and [int(each) for each in counts[1:]] == [fields - 1]


def count_line(columns: Sequence[str]) -> str:
    """Return the error text about such a first line."""
    return (
        f"the first line, {shown_names(columns)}, counts the rows and columns, as in "
        "scikit-learn's own files; replace it by the names of the columns"
    )


def separator_problem(text: str, columns: Sequence[str] = ()) -> str | None:
    """Return the error text about the separator of a line, or None if that is a comma.

    `columns` is the line read as CSV.
    """
    if re.match('"?sep=', text, re.IGNORECASE):
        return f"the first line, {cut(text.strip(), 20)}, is for Excel only; remove it"
    if len(columns) > 1:
        return None
    return next((_separated_by(name) for mark, name in _SEPARATORS.items() if mark in text), None)


def _wrong_delimiter(text: str, names: Sequence[str]) -> str | None:
    """Return the error text about the delimiter of a header that has one name, or None."""
    if len(names) > 1:
        return None
    mark = next((mark for mark in _SEPARATORS if mark in text), None)
    if mark in _OPTIONS:
        return f"the fields are separated by {_SEPARATORS[mark]}; say {_OPTIONS[mark]}"
    return _separated_by(_SEPARATORS[mark]) if mark else None


def has_line_break(content: bytes) -> bool:
    """Tell whether there is any line break, which curl's -d removes."""
    return b"\n" in content or b"\r" in content


def _separated_by(name: str) -> str:
    return f"the fields are separated by {name}; separate them by commas, with points in decimals"


def _unnamed(names: list[str], *, index: bool) -> str | None:
    """Return the error text about a column without a name; that of an `index` needs none."""
    place = next((at for at, name in enumerate(names) if not name and (at or not index)), None)
    if place is None:
        return None
    if place == 0 and len(names) > 1 and all(names[1:]):
        return f"the first column has no name; if it holds row names, {_INDEX}"
    if place == len(names) - 1:
        return "the last column has no name; remove the separator at the end of the header"
    return f"column {place + 1} of the header has no name"


def _twice(columns: list[str]) -> str | None:
    twice = repeated(columns)
    if not twice:
        return None
    numbers = all(map(NUMBER.fullmatch, twice))
    hint = "; the first line has to be a header with the names of the columns" if numbers else ""
    return f"columns named twice: {listed(twice)}{hint}"


def _has_number(row: str) -> bool:
    return any(NUMBER.fullmatch(each) for each in row.split())
