"""Read the header of a CSV, and name the usual mistakes in it with the remedy."""

import csv
import io
import re
from collections import Counter
from collections.abc import Sequence

from app import content_sniffing, errors
from app.wording import nfc

_SEPARATORS = ((";", "semicolons"), ("\t", "tabs"), ("|", "vertical bars"), ('" "', "blanks"))
_JSON = re.compile(rb'\s*[{\[]\s*(["{\[]|$)')
_NUMBER = re.compile(r"[-+]?[0-9]*\.?[0-9]+(e[-+]?[0-9]+)?", re.IGNORECASE)
_COUNT = re.compile("[0-9]{1,9}")
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
    if (
        problem := _for_excel(text)
        or _separator(text, columns)
        or _unnamed(columns)
        or _twice(columns)
    ):
        raise errors.Invalid("body", problem)
    return columns


def suspect_names(columns: Sequence[str]) -> list[str]:
    """Return warnings of names that are probably mistakes, though a training can use them."""
    found = []
    if padded := [name for name in columns if name != name.strip()]:
        found.append(f"blanks at the ends of names belong to the names: {_shown(padded)}")
    if numbers := [name for name in columns if _NUMBER.fullmatch(name.strip())]:
        found.append(f"the first line is taken for the header, with the names {_shown(numbers)}")
    if twins := [name for name, count in Counter(map(nfc, columns)).items() if count > 1]:
        found.append(
            f"names are the same in two forms of Unicode, and cannot be used: {_shown(twins)}"
        )
    return found


def first_row_problem(columns: Sequence[str], row: str, line: int, fields: int) -> str | None:
    """Return why the first row cannot belong to this header, or None. It is on this `line`."""
    count = len(columns)
    if is_count_line(columns, fields) and fields != count:
        return count_line(columns)
    if fields == count + 1:
        return (
            f"the header has {count} names, but line {line} has {fields} fields; if the first "
            f"fields are row names, {_NO_INDEX}"
        )
    if fields > count:
        return f"the header has {count} names, but line {line} has {fields} fields"
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
    """Say what is wrong with such a first line."""
    return (
        f"the first line, {_shown(columns)}, counts the rows and columns, as in scikit-learn's own "
        "files; replace it by the names of the columns"
    )


def separator_problem(text: str) -> str | None:
    """Return the sentence about a line without commas that has another separator, or None."""
    return next((_separated_by(name) for mark, name in _SEPARATORS if mark in text), None)


def has_line_break(content: bytes) -> bool:
    """Tell whether there is any line break, which curl's -d removes."""
    return b"\n" in content or b"\r" in content


def _separator(text: str, columns: list[str]) -> str | None:
    return separator_problem(text) if len(columns) <= 1 else None


def _for_excel(text: str) -> str | None:
    if re.match('"?sep=', text, re.IGNORECASE):
        return f"the first line, {text.strip()[:20]}, is for Excel only; remove it"
    return None


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
    twice = sorted({name for name in columns if columns.count(name) > 1})
    if not twice:
        return None
    numbers = all(map(_NUMBER.fullmatch, twice))
    hint = "; the first line has to be a header with the names of the columns" if numbers else ""
    return f"columns named twice: {', '.join(twice)[:100]}{hint}"


def _has_number(row: str) -> bool:
    return any(_NUMBER.fullmatch(each) for each in row.split())


def _shown(names: Sequence[str]) -> str:
    shown = ", ".join(f"{name[:40]!r}" for name in names[:4])
    return f"{shown} and {len(names) - 4} more" if len(names) > 4 else shown
