"""Give the columns of features their types, inferred from all cells or declared by the request."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from app import errors
from app.models.manifest import Feature, FitWarning
from app.protocol import cells as meaning
from app.protocol.column_types import ColumnType
from app.protocol.wording import quoted
from app.tables.column_cells import FEW, ColumnCells

MAX_CATEGORIES = 1000  # of a column of text, because each becomes a column of its own
# The rows and different texts of a column of text that are searched for dates and numbers.
_HEAD, _LOOKED_AT = 20_000, 1000
_SHOWN = 4  # texts in a sentence
_GROUPED = re.compile(r"[0-9][,.' \u00a0\u2009\u202f\u2019][0-9]{3}(?![0-9])")
_STORED_AGAIN = "; if thousands are separated in a CSV, store it again with thousands= in the query"
_DECLARED = {
    "number": ("numbers", "write them as 1234.5"),
    "date": ("dates", "write them as 2025-01-31 or 2025-01-31T12:00:00Z"),
    "boolean": ("booleans", "write them as true or false, yes or no"),
}


@dataclass(frozen=True)
class TypedColumn:
    """A feature with its values [rows], and the warnings about them.

    The values are float64, with NaN for a missing one; those of a text or category are texts.
    """

    feature: Feature
    values: "npt.NDArray[np.float64] | pd.Series[Any]"
    warnings: list[FitWarning] = field(default_factory=list)


def infer_type(name: str, cells: ColumnCells) -> TypedColumn:
    """Return a column with the type that fits all cells.

    Raises `errors.BadData` for a column that is empty, holds infinity, or has too many texts.
    """
    kind = cells.kind
    if kind == "empty":
        raise errors.BadData("features", f"column {name} is empty; leave it out, or exclude it")
    values: npt.NDArray[np.float64] | pd.Series[Any]
    if kind == "text":
        values = texts = cells.texts()
        found = _odd_texts(name, texts)
        _check_categories(name, texts, found)
    else:
        values, found = cells.values(), number_warnings(name, cells)
        _check_finite(name, values)
    feature = Feature(name=name, type=kind, nullable=bool(pd.isna(values).any()))
    return TypedColumn(feature, values, found)


def declared_type(
    name: str, cells: ColumnCells, declared: ColumnType, most: int | None = MAX_CATEGORIES
) -> TypedColumn:
    """Return a column with the type that the request declares.

    A column of texts has at most `most` different texts; None for free text. Raises
    `errors.BadData` for cells of another type, and as `infer_type` does.
    """
    values = read_declared(name, cells.texts(), declared)
    if values.isna().all():
        raise errors.BadData("features", f"column {name} is empty; leave it out, or exclude it")
    if declared.type in ("text", "category"):
        if most is not None:
            _check_categories(name, values, [])
    else:
        _check_finite(name, values)
    nullable = bool(values.hasnans)
    feature = Feature(name=name, type=declared.type, nullable=nullable, missing=declared.missing)
    return TypedColumn(feature, values)


def read_declared(name: str, texts: "pd.Series[Any]", declared: ColumnType) -> "pd.Series[Any]":
    """Return the values [rows] of a column of a declared type; see `TypedColumn`.

    Raises `errors.BadData` that names a cell of another type.
    """
    codes, distinct = pd.factorize(texts)
    marked = declared_missing(distinct, declared)
    if declared.type in ("text", "category"):
        of_text = meaning.category if declared.type == "category" else str
        read = [None if m else of_text(t) for t, m in zip(distinct, marked, strict=True)]
        return pd.Series(np.array([*read, None], object)[codes], dtype="str")
    if declared.type == "number":
        values = _numbers(distinct)
    else:
        of_cell = meaning.days_of if declared.type == "date" else meaning.declared_boolean
        values = np.array([of_cell(text) for text in distinct], np.float64)
    unread = distinct[np.isnan(values) & ~marked]
    if wrong := [text for text in unread if not meaning.means_missing(text)]:
        noun, remedy = _DECLARED[declared.type]
        found = describe_cells(texts[texts.isin(wrong)])
        raise errors.BadData(
            f"types.{name}",
            f"column {name} is declared to hold {noun}, but {found}; "
            f"{remedy}, or list what is a missing value under missing",
        )
    values[marked] = np.nan
    return pd.Series(np.append(values, np.nan)[codes])


def declared_missing(
    texts: "Sequence[str] | pd.Index[Any]", declared: ColumnType
) -> npt.NDArray[np.bool]:
    """Tell which texts the declared type lists as missing [texts]; -999.0 is -999."""
    form = meaning.category if declared.type == "category" else str.strip
    missing = {*declared.missing, *map(form, declared.missing)}
    marked = np.array([form(text) in missing for text in texts], bool)
    if declared.type == "number":
        marked |= np.isin(_numbers(texts), _numbers(declared.missing))
    return marked


def _numbers(texts: Iterable[str]) -> npt.NDArray[np.float64]:
    """Return the texts as numbers [texts]; NaN for a text that is none."""
    numbers = pd.to_numeric(pd.Series(list(texts), dtype=object), errors="coerce")
    return numbers.to_numpy(np.float64, copy=True)


def describe_cells(texts: "pd.Series[Any] | Counter[str]") -> str:
    """Return `3 cells hold "x" and 1 cell holds "y"`, for at most four different texts.

    If there are more, each in one cell, return `9 cells hold texts such as "x" and "y"`.
    """
    counts = texts if isinstance(texts, Counter) else Counter(map(str, texts))
    if len(counts) > _SHOWN and counts.total() == len(counts):
        first, second = map(quoted, list(counts)[:2])
        return f"{len(counts):,} cells hold texts such as {first} and {second}"
    shown = [
        f"{count:,} {'cell holds' if count == 1 else 'cells hold'} {quoted(text)}"
        for text, count in counts.most_common(_SHOWN)
    ]
    if more := len(counts) - len(shown):
        shown.append(f"{more:,} other texts occur")
    return " and ".join(shown) if len(shown) < 3 else f"{', '.join(shown[:-1])} and {shown[-1]}"


def missing_marker_warnings(name: str, texts: "pd.Series[Any] | Counter[str]") -> list[FitWarning]:
    """Return the warning about texts that count as missing values in a column of numbers."""
    if not len(texts):
        return []
    said = f"column {name}: {describe_cells(texts)}; they count as missing values"
    return [FitWarning(type="missing_markers", detail=said, field=name)]


def number_warnings(name: str, cells: ColumnCells) -> list[FitWarning]:
    """Return the warnings about the cells of a column of numbers, or of booleans."""
    found = missing_marker_warnings(name, cells.missing)
    if cells.words and cells.kind == "number":
        said = (
            f"column {name} holds numbers, but {describe_cells(cells.words)}, which count as "
            f"missing values, because they are at most {FEW:.0%} of the cells; declare its type if "
            "that is wrong"
        )
        found.append(FitWarning(type="texts_among_numbers", detail=said, field=name))
    if cells.inexact:
        said = (
            f"column {name} holds whole numbers from 2^53 on, which are rounded to 53 bits; "
            'declare an identifier a "category", or leave it out'
        )
        found.append(FitWarning(type="inexact_numbers", detail=said, field=name))
    return found


def _odd_texts(name: str, texts: "pd.Series[Any]") -> list[FitWarning]:
    """Return the warning about a column of text that probably holds something else."""
    counts = texts.iloc[:_HEAD].value_counts()
    distinct = counts.index[:_LOOKED_AT]
    filled = [text for text in distinct if not meaning.means_missing(text)]
    if filled and all(map(meaning.looks_like_date, filled)):
        iso = all(meaning.days_of(text) is not None for text in filled)
        said = (
            f"column {name} holds dates, such as {quoted(filled[0])}, each of which became a "
            f"column of its own; {'' if iso else 'write them as 2025-01-31, and '}declare its type "
            '"date" to have them as numbers'
        )
        return [FitWarning(type="dates_as_text", detail=said, field=name)]
    numbers = ~np.isnan(_numbers(distinct))
    others = distinct[~numbers]
    marked = [text for text in others if meaning.number_with_marks(text)]
    if marked and numbers.sum() + len(marked) >= (1 - FEW) * len(distinct):
        said = (
            f"column {name} is read as text, because {describe_cells(texts[texts.isin(marked)])}; "
            "write numbers without separators, percent and currency signs, and with a decimal "
            f"point{_STORED_AGAIN if any(map(_GROUPED.search, marked)) else ''}"
        )
        return [FitWarning(type="numbers_with_marks", detail=said, field=name)]
    if (
        len(others)
        and counts.iloc[:_LOOKED_AT][numbers].sum() >= counts.iloc[:_LOOKED_AT].sum() / 2
    ):
        said = (
            f"column {name} holds numbers, but is read as text, because "
            f"{describe_cells(texts[texts.isin(others)])}; declare its type, and what is a missing "
            "value"
        )
        return [FitWarning(type="numbers_as_text", detail=said, field=name)]
    return []


def _check_categories(name: str, texts: "pd.Series[Any]", found: list[FitWarning]) -> None:
    if (distinct := texts.nunique()) <= MAX_CATEGORIES:
        return
    hint = f" ({found[0].detail})" if found else ""
    raise errors.BadData(
        "features",
        f"text column {name} has {distinct} different values; "
        f"at most {MAX_CATEGORIES} can become columns of their own{hint}",
    )


def _check_finite(name: str, values: "npt.NDArray[np.float64] | pd.Series[Any]") -> None:
    if count := int(np.isinf(values).sum()):
        rows = "1 row" if count == 1 else f"{count:,} rows"
        raise errors.BadData(
            "features",
            f"column {name} holds infinity, or a number that is too large, in {rows}; remove it",
        )
