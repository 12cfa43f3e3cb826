"""Read the columns that describe the rows themselves: weights, groups and times."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NoReturn, Self

import numpy as np
import numpy.typing as npt
import pandas as pd

from app import errors
from app.protocol.cells import category, days_of, means_missing
from app.protocol.column_types import ColumnType
from app.protocol.training_request import TrainingSpec
from app.tables.column_cells import ColumnCells
from app.tables.column_types import describe_cells, read_declared

WEIGHT, GROUP, TIME = "sample_weight", "split.group", "split.time"
READ_AS_TEXT = (GROUP, TIME)  # because all cells decide about their types

_EXACT = 2.0**53  # whole numbers below it are exact as float64
_Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class RowColumns:
    """The weight, group and time of each row [rows]; None if the request names no such column.

    `weights` are at least 0, and not all 0. Rows with the same code in `groups` belong together.
    `times` are numbers, or days from 1970-01-01 UTC.
    """

    weights: _Floats | None = None
    groups: npt.NDArray[np.intp] | None = None
    times: _Floats | None = None

    def take(self, rows: npt.NDArray[np.intp]) -> Self:
        """Return the weights, groups and times of some rows, by their places [rows]."""
        return type(self)(
            None if self.weights is None else self.weights[rows],
            None if self.groups is None else self.groups[rows],
            None if self.times is None else self.times[rows],
        )


def read_row_columns(
    request: TrainingSpec, cells: Mapping[str, ColumnCells], rows: npt.NDArray[np.intp]
) -> RowColumns:
    """Return the weights, groups and times of `rows`, the places of the rows with a target.

    Raises `errors.BadData`, which names the field, for a row without a value, and for a value of
    the wrong type.
    """
    read: dict[str, Callable[..., Any]] = {WEIGHT: _weights, GROUP: _groups, TIME: _times}
    types = request.types or {}
    found = {
        field: read[field](field, name, cells[name], types.get(name), rows)
        for field, name in request.reserved.items()
        if field in read
    }
    return RowColumns(found.get(WEIGHT), found.get(GROUP), found.get(TIME))


def _weights(
    field: str,
    name: str,
    cells: ColumnCells,
    declared: ColumnType | None,
    rows: npt.NDArray[np.intp],
) -> _Floats:
    if declared:
        _check_type(field, name, declared, ("number",))
        values = read_declared(name, cells.texts(), declared).to_numpy(np.float64)
    elif cells.kind == "boolean":
        _refuse(field, name, "holds true and false; weights are numbers from 0 on")
    elif cells.kind == "text":
        texts = cells.texts()
        wrong = [text for text in texts.dropna().unique() if _is_no_number(text)]
        _refuse(field, name, f"holds no numbers: {describe_cells(texts[texts.isin(wrong)])}")
    elif cells.words:
        _refuse(field, name, f"holds no numbers: {describe_cells(cells.words)}")
    else:
        values = cells.values()
    values = values[rows]
    _check_complete(field, name, np.isnan(values), "a weight, a number from 0 on")
    if np.isinf(values).any():
        _refuse(field, name, "holds infinity, or a number that is too large")
    if (below := values < 0).any():
        first = f"{values[below][0]:g}"
        _refuse(
            field, name, f"holds {first} in one of {below.sum():,} rows below 0; a weight is not"
        )
    if not values.any():
        _refuse(field, name, "holds 0 in each row, so that no row counts")
    return values


def _groups(
    field: str,
    name: str,
    cells: ColumnCells,
    declared: ColumnType | None,
    rows: npt.NDArray[np.intp],
) -> npt.NDArray[np.intp]:
    texts = cells.texts().iloc[rows]
    values = read_declared(name, texts, declared) if declared else _numbers_or_texts(texts)
    codes, _ = pd.factorize(values, sort=True)  # sorted, because seeds pick groups by their places
    _check_complete(field, name, codes < 0, "a group")
    return codes


def _times(
    field: str,
    name: str,
    cells: ColumnCells,
    declared: ColumnType | None,
    rows: npt.NDArray[np.intp],
) -> _Floats:
    texts = cells.texts().iloc[rows]
    if declared:
        _check_type(field, name, declared, ("number", "date"))
        values = read_declared(name, texts, declared).to_numpy(np.float64)
    else:
        values = _numbers_or_days(field, name, texts)
    _check_complete(field, name, np.isnan(values), "a number or a date")
    if np.isinf(values).any():
        _refuse(field, name, "holds infinity, or a number that is too large")
    return values


def _numbers_or_texts(texts: "pd.Series[Any]") -> "pd.Series[Any]":
    """Return the texts as numbers if float64 holds all of them exactly, else as categories."""
    places, distinct = pd.factorize(texts)
    numbers = pd.to_numeric(pd.Series(distinct, dtype=object), errors="coerce")
    if (numbers.abs() < _EXACT).all():
        return pd.Series(np.append(numbers.to_numpy(np.float64), np.nan)[places])
    return pd.Series(np.array([*map(category, distinct), None], object)[places])


def _numbers_or_days(field: str, name: str, texts: "pd.Series[Any]") -> _Floats:
    """Return the texts as numbers if all are numbers, else as days; NaN for a missing value."""
    places, distinct = pd.factorize(texts)
    missing = np.array([means_missing(text) for text in distinct], bool)
    numbers = pd.to_numeric(pd.Series(distinct, dtype=object), errors="coerce")
    values = numbers.to_numpy(np.float64, copy=True)
    if np.isnan(values[~missing]).any():
        dates = [days_of(text) for text in distinct]
        values = np.array([np.nan if day is None else day for day in dates])
        if (unread := np.isnan(values) & ~missing).any():
            found = describe_cells(texts[texts.isin(distinct[unread])])
            _refuse(
                field,
                name,
                f"holds neither numbers only nor dates only: {found}; write dates as 2025-01-31",
            )
    return np.append(values, np.nan)[places]


def _is_no_number(text: str) -> bool:
    return not means_missing(text) and bool(pd.isna(pd.to_numeric(text, errors="coerce")))


def _check_type(field: str, name: str, declared: ColumnType, allowed: tuple[str, ...]) -> None:
    if declared.type not in allowed:
        _refuse(field, name, f"is declared {declared.type}, and has to be a {' or '.join(allowed)}")


def _check_complete(field: str, name: str, gaps: npt.NDArray[np.bool], needed: str) -> None:
    if count := int(gaps.sum()):
        _refuse(
            field, name, f"has no value in {count:,} of {len(gaps):,} rows; each needs {needed}"
        )


def _refuse(field: str, name: str, why: str) -> NoReturn:
    raise errors.BadData(field, f"column {name} {why}")
