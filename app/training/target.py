"""Read the target column of a data set: numbers to predict, or classes as codes."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from math import isinf
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from app import errors
from app.models.manifest import Feature, FitWarning
from app.protocol.cells import category, declared_boolean, means_missing, plain_boolean
from app.protocol.column_types import ColumnKind, ColumnType
from app.protocol.label_keys import Label
from app.protocol.wording import quoted
from app.tables.column_cells import ColumnCells
from app.tables.column_types import (
    TypedColumn,
    declared_missing,
    describe_cells,
    missing_marker_warnings,
    number_warnings,
    read_declared,
)

_WHOLE = re.compile(r"\s*[-+]?[0-9]{1,300}\s*")
_LEADING_ZERO = re.compile(r"\s*[-+]?0[0-9]")
_EXACT = 2**53  # a float of that size may stand for several whole numbers


@dataclass(frozen=True)
class Target:
    """The target of the rows that have one.

    `name` is its column, empty of an estimator without a target. `rows` are the places of these
    rows in the data set. `y` are numbers, or of a classifier the places of the classes in `labels`,
    which ascend.
    """

    name: str
    rows: npt.NDArray[np.intp]
    y: npt.NDArray[Any]
    labels: list[Label] | None = None
    warnings: list[FitWarning] = field(default_factory=list)

    @property
    def column(self) -> TypedColumn:
        """Return the target as a typed column; whole numbers that are labels are numbers."""
        if self.labels is None:
            return TypedColumn(Feature(name=self.name, type="number"), self.y)
        kind: ColumnKind = "text" if isinstance(self.labels[0], str) else "number"
        if isinstance(self.labels[0], bool):
            kind = "boolean"
        read = str if kind == "text" else np.float64
        return TypedColumn(Feature(name=self.name, type=kind), np.array(self.labels, read)[self.y])


def no_target(rows: int) -> Target:
    """Return what an estimator without a target gets: zeros, which it does not look at."""
    return Target("", np.arange(rows), np.zeros(rows))


def read_numbers(name: str, cells: ColumnCells, declared: ColumnType | None) -> Target:
    """Return the target of a regressor.

    Raises `errors.BadData` for text, booleans, infinity, and if there is no value.
    """
    found: list[FitWarning] = []
    if declared:
        if declared.type not in ("number", "date"):
            reason = f"column {name} is declared {declared.type}; a regressor needs numbers"
            raise errors.BadData(f"types.{name}", reason)
        values = read_declared(name, cells.texts(), declared).to_numpy(np.float64)
    elif cells.kind in ("text", "boolean") or cells.words:
        reason = f"column {name} holds text or booleans; a regressor needs numbers"
        if cells.kind == "number":
            reason += f", but {describe_cells(cells.words)}; declare them as missing, in types"
        else:
            reason += '; to predict labels, choose a classifier: "random_forest_classifier"'
        raise errors.BadData("target", reason)
    else:
        found, values = number_warnings(name, cells), cells.values()
    if np.isinf(values).any():
        raise _infinity(name)
    rows = _rows_with_a_target(name, ~np.isnan(values))
    return Target(name, rows, values[rows], None, found)


def read_classes(name: str, cells: ColumnCells, declared: ColumnType | None) -> Target:
    """Return the target of a classifier, whose cells were kept as texts.

    Raises `errors.BadData` for infinity, fractions, numbers too large to be exact, a single class,
    and if there is no value.
    """
    texts = cells.texts()
    codes, distinct = pd.factorize(texts)
    if declared:
        read_declared(name, texts, declared)  # raises if a cell is of another type
        kind, known = declared.type, distinct[~declared_missing(distinct, declared)]
    else:
        kind, known = _inferred_kind(distinct), distinct
    read = {text: _label(name, text, kind) for text in known}
    labels = sorted({label for label in read.values() if label is not None})
    places: dict[Label | None, int] = {label: place for place, label in enumerate(labels)}
    of_texts = [places.get(read.get(text), -1) for text in distinct]
    y = np.array([*of_texts, -1])[codes]  # the code of an empty cell is -1
    rows = _rows_with_a_target(name, y >= 0)
    if len(labels) < 2:
        raise errors.BadData(
            "target", f"column {name} has {len(labels)} class; a classifier needs two"
        )
    return Target(name, rows, y[rows], labels, _label_warnings(name, texts, kind, read))


def _inferred_kind(distinct: Iterable[str]) -> ColumnKind:
    """Return the type of labels. Those with a leading zero are text, which does not lose it."""
    filled = [text for text in distinct if not means_missing(text)]
    if not filled:
        return "text"
    if all(plain_boolean(text) is not None for text in filled):
        return "boolean"
    numbers = pd.to_numeric(pd.Series(filled, dtype=object), errors="coerce")
    return "text" if numbers.isna().any() or any(map(_LEADING_ZERO.match, filled)) else "number"


def _label(name: str, text: str, kind: ColumnKind) -> Label | None:
    """Return the label that a text means, or None for a missing value."""
    match kind:
        case "text" | "date":
            return text
        case "category":
            return category(text)
        case "boolean":
            return declared_boolean(text)
    if means_missing(text):
        return None
    if _WHOLE.fullmatch(text):
        return int(text)
    if isinf(value := float(text)):
        raise _infinity(name)
    if value % 1:
        raise errors.BadData(
            "target",
            f"column {name} holds fractions; a classifier needs classes; to predict numbers, "
            'choose a regressor: "random_forest_regressor"',
        )
    if abs(value) >= _EXACT:
        raise errors.BadData(
            "target",
            f"column {name} holds labels that are too large as numbers, such as {quoted(text)}; "
            'declare its type "text"',
        )
    return int(value)


def _label_warnings(
    name: str, texts: "pd.Series[Any]", kind: ColumnKind, read: dict[str, Label | None]
) -> list[FitWarning]:
    missing = [text for text, label in read.items() if label is None]
    found = missing_marker_warnings(name, texts[texts.isin(missing)])
    if kind == "number" and (
        odd := [text for text, label in read.items() if label is not None and "e" in text.lower()]
    ):
        said = (
            f"labels of column {name} are read as numbers, such as {quoted(odd[0])} as "
            f'{read[odd[0]]}; declare the type "text" to keep them as they are'
        )
        found.append(FitWarning(type="labels_as_numbers", detail=said, field=name))
    return found


def _rows_with_a_target(name: str, has: npt.NDArray[np.bool]) -> npt.NDArray[np.intp]:
    if not has.any():
        raise errors.BadData("target", f"column {name} is empty")
    return np.flatnonzero(has)


def _infinity(name: str) -> errors.BadData:
    reason = f"column {name} holds infinity, or a number that is too large; remove it"
    return errors.BadData("target", reason)
