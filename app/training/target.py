"""Prepare the target column of a data set: numbers to predict, or classes as codes."""

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from app import errors


def numeric_target(column: "pd.Series[Any]") -> npt.NDArray[np.float64]:
    """Return the target of a regressor [rows]. Raises `errors.BadData` for text and booleans."""
    if not _is_numeric(column):
        raise errors.BadData(
            "target",
            f"column {column.name} holds text or booleans; a regressor needs numbers",
        )
    return column.to_numpy(np.float64)


def encode_classes(column: "pd.Series[Any]") -> tuple[list[Any], npt.NDArray[Any]]:
    """Return the classes in ascending order, and the index of each row's class [rows].

    Raises `errors.BadData` for fractions, numbers too large to be exact, and a single class.
    """
    name, numeric = column.name, _is_numeric(column)
    if numeric and np.isinf(column).any():
        raise errors.BadData("target", f"column {name} holds infinity; a classifier needs classes")
    if numeric and not (column % 1 == 0).all():
        raise errors.BadData("target", f"column {name} holds fractions; a classifier needs classes")
    exact = 2 ** (63 if pd.api.types.is_integer_dtype(column) else 53) - 1  # an int64, a float
    if numeric and max(-int(column.min()), int(column.max())) > exact:
        raise errors.BadData(
            "target",
            f"column {name} holds labels that are too large as numbers, "
            f"{column.min()} to {column.max()}; make them text",
        )
    codes, labels = pd.factorize(column.astype(np.int64) if numeric else column, sort=True)
    if len(labels) < 2:
        raise errors.BadData(
            "target", f"column {name} has {len(labels)} class; a classifier needs two"
        )
    return labels.tolist(), codes


def _is_numeric(column: "pd.Series[Any]") -> bool:
    return pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column)
