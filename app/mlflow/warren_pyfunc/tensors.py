"""Read the columns of a data frame as the tensor of a graph's input."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from .values import plain, refuse

LARGEST_FLOAT32 = 3.4028235677973362e38  # the last float64 that float32 does not make infinite

_DTYPES = {"float": "float32", "double": "float64"}  # the other names are numpy's


def read_tensor(frame: pd.DataFrame, told: Mapping[str, Any], kind: str) -> npt.NDArray[Any]:
    """Return the features of an input [rows, features] as a tensor of a `kind` of onnxruntime.

    Raises `ValueError` for a value that does not become an element without a change.
    """
    name = kind.removeprefix("tensor(").removesuffix(")")
    if name == "string":
        return _matrix(frame, told, "text", np.dtype(object), 0, 0)
    if name == "bool":
        return _matrix(frame, told, "boolean", np.dtype(bool), 0, 1)
    dtype = np.dtype(_DTYPES.get(name, name))
    if dtype.kind == "f":
        largest = LARGEST_FLOAT32 if name == "float" else float(np.finfo(dtype).max)
        return _matrix(frame, told, "number", dtype, -largest, largest)
    limits = np.iinfo(dtype)
    return _matrix(frame, told, "number", dtype, int(limits.min), int(limits.max))


def _matrix(
    frame: pd.DataFrame,
    told: Mapping[str, Any],
    kind: str,
    dtype: np.dtype[Any],
    lowest: float,
    largest: float,
) -> npt.NDArray[Any]:
    columns = []
    for name in told["features"]:
        feature = {"name": name, "type": kind, "nullable": told["nullable"], "largest": largest}
        values = [plain(cell) for cell in frame[name].tolist()]
        for row, value in enumerate(values):
            fits = {
                "text": isinstance(value, str),
                "boolean": isinstance(value, bool),
                "number": isinstance(value, int | float)
                and not isinstance(value, bool)
                and lowest <= value <= largest
                and (dtype.kind == "f" or value % 1 == 0),
            }[kind]
            if not fits and not (value is None and told["nullable"]):
                refuse(feature, value, row)
        columns.append(np.array(values, dtype))  # None becomes NaN
    return np.column_stack(columns)
