"""Prepare the feature columns of a data set: their types and the matrix."""

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from app import errors
from app.models.manifest import Feature
from app.training.dataset import is_text

MAX_CATEGORIES = 1000  # of a text column: each becomes a column of its own


def describe_feature(column: "pd.Series[Any]") -> Feature:
    """Return the name and type of a column, and whether it has missing values.

    Raises `errors.BadData` if it is empty, or text of more than `MAX_CATEGORIES` values.
    """
    name, nullable = str(column.name), bool(column.isna().any())
    if column.isna().all():
        raise errors.BadData("features", f"column {name} is empty")
    if not is_text(column):
        numeric = pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column)
        return Feature(name=name, type="number" if numeric else "boolean", nullable=nullable)
    if (distinct := column.nunique()) > MAX_CATEGORIES:
        raise errors.BadData(
            "features",
            f"text column {name} has {distinct} different values; "
            f"at most {MAX_CATEGORIES} can become columns of their own",
        )
    return Feature(name=name, type="text", nullable=nullable)


def typical_value(column: "pd.Series[Any]", feature: Feature) -> float | bool | str:
    """Return the median of a column of numbers, or else its most common value."""
    if feature.type == "number":
        return float(column.median())
    return bool(column.mode()[0]) if feature.type == "boolean" else str(column.mode()[0])


def feature_matrix(
    rows: pd.DataFrame, features: list[Feature]
) -> tuple[npt.NDArray[np.float64] | pd.DataFrame, int]:
    """Return the matrix [rows, features], numbers left and texts right, and the count of numbers.

    Booleans are numbers here. With texts the matrix is a data frame, because an array could hold
    both as Python objects only, four times as large. A missing text becomes "", a category like
    any other.
    """
    numbers = [f.name for f in features if f.type != "text"]
    texts = [f.name for f in features if f.type == "text"]
    left = rows[numbers].to_numpy(np.float64)
    if not texts:
        return left, len(numbers)
    right = rows[texts].astype(object).fillna("").astype(str).to_numpy(object)
    blocks = [pd.DataFrame(left), pd.DataFrame(right, dtype=object)]
    return pd.concat(blocks, axis=1, ignore_index=True), len(numbers)
