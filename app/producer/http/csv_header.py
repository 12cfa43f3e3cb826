"""Read the header of a CSV. An error or warning names the usual mistake, with the remedy."""

import csv
import io
import re
from collections.abc import Sequence

from app import errors
from app.protocol import content_sniffing
from app.protocol.wording import cut, listed, nfc, quoted, repeated

_SEPARATORS = ((";", "semicolons"), ("\t", "tabs"), ("|", "vertical bars"), ('" "', "blanks"))
_JSON = re.compile(rb'\s*[{\[]\s*(["{\[]|$)')
_NUMBER = re.compile(r"[-+]?[0-9]*\.?[0-9]+(e[-+]?[0-9]+)?", re.IGNORECASE)
_COUNT = re.compile("[0-9]{1,9}")
_UNSEEN = "\ufeff\u200b"  # a second byte order mark, a blank without width
QUOTES = "put quotes round a field that holds a comma"
CURL_JOINED = "curl's -d removes line breaks, use -T or --data-binary"
_NO_INDEX = "write it without row names: index=False in pandas, row.names=FALSE in R"


def read_header(header: bytes, alone: bool) -> list[str]:
    """Return the names of the columns. Raises `errors.Invalid`.

    `header` is the first line that is not blank, or more lines if a quoted name has line breaks.
    If it stands `alone`, the whole file has no line break.
    """
    if what := content_sniffing.describe(header, "CSV"):
        raise errors.Invalid("body", what)
    if _JSON.match(header):
        raise errors.Invalid("body", "it is JSON; send CSV")
    if alone:
        raise errors.Invalid("body", f"no row below the header; {CURL_JOINED}")
    text = header.decode("utf-8-sig")
    try:
        columns = next(csv.reader(io.StringIO(text, newline="")), [])
    except csv.Error:  # its limit is 131,072 characters
        raise errors.Invalid("body", "a name in the header is too long") from None
    if problem := separator_problem(text, columns) or _unnamed(columns) or _twice(columns):
        raise errors.Invalid("body", problem)
    return columns


def suspect_names(columns: Sequence[str]) -> list[str]:
    """Return warnings about names that are probably mistakes, though a training can use them."""
    found = []
    if len(columns) == 1:
        found.append("there is one column only, but a training needs a feature and a target")
    if padded := [name for name in columns if name != name.strip().strip(_UNSEEN)]:
        found.append(f"blanks at the ends of names belong to the names: {_shown(padded)}")
    if numbers := [name for name in columns if _NUMBER.fullmatch(name.strip())]:
        found.append(f"the first line is taken for the header, with the names {_shown(numbers)}")
    if twins := repeated(map(nfc, columns)):
        found.append(
            f"names are the same in two forms of Unicode, and cannot be used: {_shown(twins)}"
        )
    return found


def first_row_problem(columns: Sequence[str], row: str, line: int, fields: int) -> str | None:
    """Return why the first row cannot belong to this header, or None. It is on this `line`."""
    count = len(columns)
    if is_count_line(columns, fields) and fields != count:
        return count_line(columns)
    if fields > count:
        names = "1 name" if count == 1 else f"{count} names"
        remedy = f"if the first fields are row names, {_NO_INDEX}; {QUOTES}"
        if count == 1:
            remedy = "if the header is a title or a comment, remove it"
        elif fields > count + 1:
            remedy = QUOTES
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
        f"the first line, {_shown(columns)}, counts the rows and columns, as in scikit-learn's own "
        "files; replace it by the names of the columns"
    )


def separator_problem(text: str, columns: Sequence[str] = ()) -> str | None:
    """Return the error text about the separator of a line, or None if that is a comma.

    `columns` is the line read as CSV.
    """
    if re.match('"?sep=', text, re.IGNORECASE):
        return f"the first line, {cut(text.strip(), 20)}, is for Excel only; remove it"
    if len(columns) > 1:
        return None
    return next((_separated_by(name) for mark, name in _SEPARATORS if mark in text), None)


def has_line_break(content: bytes) -> bool:
    """Tell whether there is any line break, which curl's -d removes."""
    return b"\n" in content or b"\r" in content


def _separated_by(name: str) -> str:
    return f"the fields are separated by {name}; separate them by commas, with points in decimals"


def _unnamed(columns: list[str]) -> str | None:
    if not columns or all(columns):
        return None
    place = columns.index("")
    if place == 0 and len(columns) > 1 and all(columns[1:]):
        return f"the first column has no name; if it holds row names, {_NO_INDEX}"
    if place == len(columns) - 1:
        return "the last column has no name; remove the comma at the end of the header"
    return f"column {place + 1} of the header has no name"


def _twice(columns: list[str]) -> str | None:
    twice = repeated(columns)
    if not twice:
        return None
    numbers = all(map(_NUMBER.fullmatch, twice))
    hint = "; the first line has to be a header with the names of the columns" if numbers else ""
    return f"columns named twice: {listed(twice)}{hint}"


def _has_number(row: str) -> bool:
    return any(_NUMBER.fullmatch(each) for each in row.split())


def _shown(names: Sequence[str]) -> str:
    shown = ", ".join(map(quoted, names[:4]))
    return f"{shown} and {len(names) - 4} more" if len(names) > 4 else shown
