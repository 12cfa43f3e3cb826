"""Read columns of a CSV file, chunk by chunk, so that its text is never in memory as a whole."""

import re
import warnings
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from itertools import islice
from typing import Any

import numpy as np
import pandas as pd

from app import errors
from app.protocol.cells import means_missing
from app.training.column_cells import ColumnCells

_CHUNK_CELLS = 500_000  # few, so that they stay in the caches of the processor
_MIN_CHUNK_ROWS = 2000
_HEAD_ROWS, _HEAD_COLUMNS, _HEAD_CELLS = 10_000, 1000, 1_000_000
_SHORT = "S16"  # the first bytes of cells, which numpy holds without an object for each
# What the parser itself takes for missing among numbers. Rarer texts of `MISSING` are found later.
_MISSING = ["", "NA", "na", "N/A", "n/a", "#N/A", "<NA>", "NaN", "nan", "-nan", "NULL", "Null"]
_MISSING += ["null", "None", "none", "NONE", "?", "-", "--", ".", "unknown", "Unknown"]
_PLAIN: dict[str, Any] = {"index_col": False, "keep_default_na": False, "low_memory": False}


def read_header(path: str) -> list[str]:
    """Return the names of the columns."""
    return [str(column) for column in pd.read_csv(path, nrows=0).columns]


def read_cells(
    path: str, names: list[str], places: Mapping[str, int], as_text: Collection[str]
) -> dict[str, ColumnCells]:
    """Return the cells of the columns at these places, by name; those in `as_text` as texts.

    `names` are those of `read_header`. Columns of text that begin like numbers, or whose missing
    values may be texts, are read twice.
    """
    cells = {name: ColumnCells(as_text=name in as_text) for name in places}
    _read(path, names, places, cells)
    again = {name: ColumnCells(as_text=True) for name, each in cells.items() if each.must_be_reread}
    if again:
        cells |= again
        _read(path, names, {name: places[name] for name in again}, again)
    _count_missing(path, names, places, cells)
    return cells


def leading_zeros(path: str, names: list[str], places: Mapping[str, int]) -> dict[str, str]:
    """Return a cell with a leading zero, such as "01234", of each column that has one.

    Only the first 10,000 rows of 100 columns are looked at, or 1,000 rows of 1,000 columns.
    """
    places = dict(islice(places.items(), _HEAD_COLUMNS))
    if not places:
        return {}
    rows = min(_HEAD_ROWS, _HEAD_CELLS // len(places))
    dtypes = _short(names, places.values())
    head = pd.read_csv(path, nrows=rows, dtype=dtypes, usecols=list(dtypes), **_PLAIN)
    found = {}
    for name, place in places.items():
        cells = head[names[place]].to_numpy()
        first, second = cells.view(np.uint8).reshape(len(cells), -1).T[:2]
        zeros = cells[(first == ord("0")) & (second >= ord("0")) & (second <= ord("9"))]
        if len(zeros):
            found[name] = zeros[0].decode()
    return found


def _read(
    path: str, names: list[str], places: Mapping[str, int], into: dict[str, ColumnCells]
) -> None:
    dtypes = {names[place]: str for name, place in places.items() if into[name].as_text}
    missing: Any = _MISSING
    if dtypes:
        missing = {name: [""] if name in dtypes else _MISSING for name in names}
    for chunk in _chunks(path, len(names), dtype=dtypes, na_values=missing):
        for name, place in places.items():
            into[name].add(chunk.iloc[:, place])


def _count_missing(
    path: str, names: list[str], places: Mapping[str, int], cells: dict[str, ColumnCells]
) -> None:
    """Count the texts of missing values in columns of numbers and booleans."""
    gaps = {
        name: each.gaps()
        for name, each in cells.items()
        if each.has_gaps and each.kind in ("number", "boolean")
    }
    if not gaps:
        return
    row, dtypes = 0, _short(names, [places[name] for name in gaps])
    for chunk in _chunks(path, len(names), dtype=dtypes, usecols=list(dtypes)):
        for name, gap in gaps.items():
            texts = chunk[names[places[name]]].to_numpy()[gap[row : row + len(chunk)]]
            for text in texts[texts != b""]:
                if means_missing(cell := text.decode(errors="replace")):
                    cells[name].missing[cell] += 1
        row += len(chunk)


def _short(names: list[str], places: Iterable[int]) -> dict[str, str]:
    return {names[place]: _SHORT for place in places}


def _chunks(path: str, width: int, **options: Any) -> Iterator[pd.DataFrame]:
    """Read all columns, because pandas checks the number of fields only then."""
    rows = max(_MIN_CHUNK_ROWS, _CHUNK_CELLS // width)
    with pd.read_csv(path, chunksize=rows, **_PLAIN, **options) as chunks:
        yield from chunks


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
