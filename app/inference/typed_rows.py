"""Read the cells of a part as a model's features, whole columns at a time.

A cell means what it means in a training: `app.protocol.cells` says what.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from app.inference.predictor import Tensors
from app.inference.row_problems import RowProblems, missing_detail, wrong_detail
from app.inference.table_layout import ScoredColumn
from app.protocol import cells as meaning

_Flags = npt.NDArray[np.bool_]
_Values = npt.NDArray[Any]


@dataclass(frozen=True)
class TypedRows:
    """The rows that a model can be given, and which of all rows they are.

    `inputs` are `number` [rows, numbers] and `text` [rows, texts], each in the order of the
    features; one without columns is left out. `kept` [all rows] tells which rows they are.
    """

    inputs: Tensors
    kept: _Flags
    problems: RowProblems = field(default_factory=RowProblems)


@dataclass(frozen=True)
class _Column:
    """The values of a column, NaN or "" where one is missing, and which cells are at fault."""

    values: _Values
    missing: _Flags
    wrong: _Flags


def read_rows(columns: Sequence["pd.Series[Any]"], features: Sequence[ScoredColumn]) -> TypedRows:
    """Read the columns of some rows, one for each feature.

    Rows with a cell that the model does not take are left out, and are counted from 1.
    """
    kept = np.ones(len(columns[0]), bool)
    problems = RowProblems()
    numbers: list[_Values] = []
    texts: list[_Values] = []
    for cells, feature in zip(columns, features, strict=True):
        read = _read(cells, feature)
        wrong = np.flatnonzero(read.wrong)
        if len(wrong):
            said = wrong_detail(feature.name, feature.kind, str(cells.iloc[wrong[0]]))
            problems.add("wrong_value", feature.name, wrong + 1, said)
        kept &= ~read.wrong
        if not feature.nullable:
            absent = np.flatnonzero(read.missing)
            problems.add("missing_value", feature.name, absent + 1, missing_detail(feature.name))
            kept &= ~read.missing
        (numbers if feature.is_number else texts).append(read.values)
    inputs: Tensors = {}
    if numbers:
        inputs["number"] = np.column_stack(numbers)[kept]
    if texts:
        inputs["text"] = np.column_stack(texts)[kept]
    return TypedRows(inputs, kept, problems)


def _read(cells: "pd.Series[Any]", feature: ScoredColumn) -> _Column:
    match feature.kind:
        case "text":
            return _texts(cells, feature, str)
        case "category":
            return _texts(cells, feature, meaning.category)
        case "date":
            column = _by_text(cells, feature, meaning.days_of)
        case "boolean":
            column = _by_text(_as_texts(cells), feature, meaning.declared_boolean)
        case _:
            column = _numbers(cells, feature)
    values = column.values
    with np.errstate(invalid="ignore"):
        beyond = (values < feature.lowest) | (values > feature.largest) | np.isinf(values)
        if feature.whole:
            beyond |= ~np.isnan(values) & (values % 1 != 0)
    return _Column(values, column.missing, column.wrong | beyond)


def _numbers(cells: "pd.Series[Any]", feature: ScoredColumn) -> _Column:
    if cells.dtype.kind in "iuf":
        values = cells.to_numpy(np.float64)
        return _Column(values, np.isnan(values), np.zeros(len(values), bool))
    codes, distinct = pd.factorize(_as_texts(cells))
    numbers = pd.to_numeric(pd.Series(distinct, dtype=object), errors="coerce")
    return _spread(codes, distinct, numbers.to_numpy(np.float64), feature)


def _by_text(
    cells: "pd.Series[Any]", feature: ScoredColumn, of_text: Callable[[str], float | None]
) -> _Column:
    """Read each distinct text once; `of_text` returns None for one that is not of the type."""
    codes, distinct = pd.factorize(cells)
    values = np.array([of_text(text) for text in distinct], np.float64)  # None becomes NaN
    return _spread(codes, distinct, values, feature)


def _spread(
    codes: npt.NDArray[np.intp], distinct: Any, values: _Values, feature: ScoredColumn
) -> _Column:
    """Return the column of these codes: -1 is a missing cell, others are places in `distinct`."""
    # Numbers are compared as numbers: -999.0 is -999.
    declared = pd.to_numeric(pd.Series(feature.missing, dtype=object), errors="coerce").to_numpy()
    marked = np.array(
        [meaning.means_missing(text, feature.missing) for text in distinct], bool
    ) | np.isin(values, declared.astype(np.float64))
    wrong = np.isnan(values) & ~marked
    values = np.where(marked, np.nan, values)
    return _Column(
        np.append(values, np.nan)[codes],
        np.append(marked, True)[codes],
        np.append(wrong, False)[codes],
    )


def _texts(
    cells: "pd.Series[Any]", feature: ScoredColumn, of_text: Callable[[str], str]
) -> _Column:
    codes, distinct = pd.factorize(_as_texts(cells))
    read = [of_text(text) for text in distinct]
    missing = {*feature.missing, *map(of_text, feature.missing)}
    marked = np.array([text in missing for text in read], bool)
    texts = ["" if absent else text for text, absent in zip(read, marked, strict=True)]
    nothing = np.zeros(len(cells), bool)
    return _Column(np.array([*texts, ""], object)[codes], np.append(marked, True)[codes], nothing)


def _as_texts(cells: "pd.Series[Any]") -> "pd.Series[Any]":
    """Return cells as texts, NaN where one is missing, as they are in a CSV."""
    if cells.dtype == "str":
        return cells
    absent = cells.isna()
    return cells.astype(object).where(~absent).map(_text, na_action="ignore").astype("str")


def _text(value: Any) -> str:
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return str(int(value))
    return str(value)
