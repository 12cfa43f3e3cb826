"""Prepare the feature columns of a data set: the matrix, and a sample row."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from app import errors
from app.inference.date_parts import add_date_parts
from app.inference.tensor_types import LARGEST_FLOAT32
from app.models.manifest import Feature
from app.protocol.cells import date_of
from app.protocol.training_options import DatePart


def check_float32(rows: pd.DataFrame, features: list[Feature], estimator: str) -> None:
    """Raise `errors.BadData` for a number beyond the range of float32."""
    for feature in features:
        if feature.type != "number":
            continue
        largest = rows[feature.name].abs().max()
        if largest > LARGEST_FLOAT32:
            raise errors.BadData(
                "features",
                f"column {feature.name} holds a number that is too large, {largest:.2g}; "
                f"{estimator} takes none above {LARGEST_FLOAT32:.2g}; scale or remove it",
            )


def feature_matrix(
    rows: pd.DataFrame, features: list[Feature], parts: Sequence[DatePart] = ()
) -> tuple[npt.NDArray[np.float64] | pd.DataFrame, int]:
    """Return the matrix [rows, features], numbers left and texts right, and the count of numbers.

    Booleans and dates are numbers here, and so are the `parts` of dates. With texts the matrix is a
    data frame, because an array could hold both as Python objects only, four times as large. A
    missing text becomes "", a category like any other.
    """
    numbers = [f.name for f in features if f.is_number]
    texts = [f.name for f in features if not f.is_number]
    left = add_date_parts(rows[numbers].to_numpy(np.float64), features, parts)
    if not texts:
        return left, left.shape[1]
    right = rows[texts].astype(object).fillna("").to_numpy(object)
    blocks = [pd.DataFrame(left), pd.DataFrame(right, dtype=object)]
    return pd.concat(blocks, axis=1, ignore_index=True), left.shape[1]


def typical_value(column: "pd.Series[Any]", feature: Feature) -> float | bool | str | None:
    """Return the median of a column of numbers, or else its most common value.

    It is None if all values are missing. The median of dates is one of them.
    """
    match feature.type:
        case "number":
            with np.errstate(over="ignore"):
                value = float(column.median())
            if not np.isfinite(value):  # the mean of two that are large, or none
                value = float(column.quantile(interpolation="lower"))
            return None if np.isnan(value) else value
        case "date":
            value = float(column.quantile(interpolation="lower"))
            return None if np.isnan(value) else date_of(value)
    common = column.mode()
    if common.empty:
        return None
    return bool(common[0]) if feature.type == "boolean" else str(common[0])
