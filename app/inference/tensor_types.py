"""The types of tensors that the graph of an uploaded model may have."""

from dataclasses import dataclass

import numpy as np
from pydantic import JsonValue

from app.models.graph_spec import FeatureKind


@dataclass(frozen=True)
class TensorType:
    """A type of tensors: the kind of its elements, and which values of a row fit.

    `lowest` and `largest` are limits of numbers. A type that `is_float` holds numbers with
    fractions, and NaN.
    """

    dtype: type[np.generic]
    holds: FeatureKind = "number"
    lowest: float = 0
    largest: float = 0
    is_float: bool = False

    def fits(self, value: JsonValue) -> bool:
        """Tell whether a value, which is not null, becomes an element without a change."""
        if self.holds != "number":
            return isinstance(value, str if self.holds == "text" else bool)
        if isinstance(value, bool) or not isinstance(value, int | float):
            return False
        return self.lowest <= value <= self.largest and (self.is_float or value % 1 == 0)

    def describe(self, value: JsonValue) -> str:
        """Return which values fit, for an error about another `value`."""
        match self.holds:
            case "text":
                return "a string"
            case "boolean":
                return "true or false"
        if self.is_float:
            if isinstance(value, bool) or not isinstance(value, int | float):
                return "a number"
            return f"a number from {self.lowest:.5g} to {self.largest:.5g}"
        return f"a whole number from {self.lowest} to {self.largest}"


def _float(dtype: type[np.floating], largest: float | None = None) -> TensorType:
    limit = float(np.finfo(dtype).max) if largest is None else largest
    return TensorType(dtype, lowest=-limit, largest=limit, is_float=True)


def _whole(dtype: type[np.integer]) -> TensorType:
    limits = np.iinfo(dtype)
    return TensorType(dtype, lowest=int(limits.min), largest=int(limits.max))


# The last float64 that does not become infinity as float32, whose largest number is 3.40282347e38:
# for short it is written 3.4028235e38, which is larger.
LARGEST_FLOAT32 = 3.4028235677973362e38

TENSOR_TYPES = {  # by onnxruntime's names
    "tensor(float)": _float(np.float32, LARGEST_FLOAT32),
    "tensor(double)": _float(np.float64),
    "tensor(float16)": _float(np.float16),
    "tensor(int8)": _whole(np.int8),
    "tensor(int16)": _whole(np.int16),
    "tensor(int32)": _whole(np.int32),
    "tensor(int64)": _whole(np.int64),
    "tensor(uint8)": _whole(np.uint8),
    "tensor(uint16)": _whole(np.uint16),
    "tensor(uint32)": _whole(np.uint32),
    "tensor(uint64)": _whole(np.uint64),
    "tensor(bool)": TensorType(np.bool_, "boolean"),
    "tensor(string)": TensorType(np.object_, "text"),
}
IMAGE_TYPES = ("tensor(float)", "tensor(double)", "tensor(float16)", "tensor(uint8)")
