"""Read columns of a CSV file, chunk by chunk, so that its text is never in memory as a whole."""

import re
import warnings
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import pandas as pd

from app import errors
from app.training.column_cells import ColumnCells

_CHUNK_CELLS = 2_000_000
_MIN_CHUNK_ROWS = 2000
_HEAD_ROWS, _HEAD_CELLS = 10_000, 1_000_000
_LEADING_ZERO = r"\s*[-+]?0[0-9]"
_AS_WRITTEN: dict[str, Any] = {
    "index_col": False,
    "keep_default_na": False,
    "na_values": [""],
    "low_memory": False,
}


def read_header(path: str) -> list[str]:
    """Return the names of the columns."""
    return [str(column) for column in pd.read_csv(path, nrows=0).columns]


def read_cells(
    path: str, header: list[str], places: Mapping[str, int], as_text: Collection[str]
) -> dict[str, ColumnCells]:
    """Return the cells of the columns at these places, by name; those in `as_text` as texts.

    A column whose first cells look like numbers, and later ones like text, is read twice.
    """
    cells = {name: ColumnCells(as_text=name in as_text) for name in places}
    _read(path, header, places, cells)
    again = {name: ColumnCells(as_text=True) for name, each in cells.items() if each.lost}
    if again:
        cells |= again
        _read(path, header, {name: places[name] for name in again}, again)
    return cells


def leading_zeros(path: str, header: list[str], places: Mapping[str, int]) -> dict[str, str]:
    """Return a cell with a leading zero, such as "01234", of each column that begins with some.

    Only the first 10,000 rows are looked at, and fewer if there are many columns.
    """
    if not places:
        return {}
    rows = max(1, min(_HEAD_ROWS, _HEAD_CELLS // len(header)))
    head = pd.read_csv(path, nrows=rows, dtype=str, **_AS_WRITTEN)
    found = {}
    for name, place in places.items():
        column = head.iloc[:, place].dropna()
        zeros = column[column.str.match(_LEADING_ZERO)]
        if len(zeros):
            found[name] = str(zeros.iloc[0])
    return found


def _read(
    path: str, header: list[str], places: Mapping[str, int], into: dict[str, ColumnCells]
) -> None:
    rows = max(_MIN_CHUNK_ROWS, _CHUNK_CELLS // len(header))
    texts = {place: str for name, place in places.items() if into[name].as_text}
    # Read all columns, because pandas checks the number of fields only then.
    with pd.read_csv(path, chunksize=rows, dtype=texts, **_AS_WRITTEN) as chunks:
        for chunk in chunks:
            for name, place in places.items():
                into[name].add(chunk.iloc[:, place])


@contextmanager
def readable(dataset_id: str) -> Iterator[None]:
    """Turn the errors of pandas about a file into `errors.BadData` in plain words."""
    try:
        with warnings.catch_warnings(action="error", category=pd.errors.ParserWarning):
            yield
    except (
        pd.errors.EmptyDataError,
        pd.errors.ParserError,
        pd.errors.ParserWarning,
        UnicodeDecodeError,
    ) as error:
        # pandas reports some failed allocations as errors of the file.
        if "out of memory" in str(error) or "on source failed" in str(error):
            raise MemoryError from None
        raise errors.BadData(
            "dataset_id", f"data set {dataset_id} is not readable as CSV: {_describe_fault(error)}"
        ) from None


def _describe_fault(error: Exception) -> str:
    """Return in plain words the reason why pandas cannot read a file."""
    text = str(error)
    if isinstance(error, UnicodeDecodeError):
        return "it is not in UTF-8"
    if found := re.search(r"Expected (\d+) fields in line (\d+), saw (\d+)", text):
        return f"line {found[2]} has {found[3]} fields, and the lines above {found[1]}"
    if "Length of header" in text:
        return "its rows have more fields than its header"
    if "inside string" in text:
        return "a quoted field is never closed"
    return "it is empty" if "No columns" in text else "it is not a table"
