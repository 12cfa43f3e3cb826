"""Compare the predictions of two models."""

from typing import Any


def predictions_differ(one: Any, other: Any, tolerance: float) -> bool:
    """Tell whether two predictions differ.

    Numbers differ if they are further apart than `tolerance`, a fraction of the larger one. Lists
    differ in any element or in length. All other values differ if they are not equal.
    """
    if isinstance(one, list) and isinstance(other, list):
        pairs = zip(one, other, strict=False)
        return len(one) != len(other) or any(predictions_differ(*pair, tolerance) for pair in pairs)
    if _is_number(one) and _is_number(other):
        try:
            return bool(abs(one - other) > tolerance * max(abs(one), abs(other)))
        except OverflowError:  # JSON's integers may be larger than any float
            return bool(one != other)
    return bool(one != other or isinstance(one, bool) is not isinstance(other, bool))


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
