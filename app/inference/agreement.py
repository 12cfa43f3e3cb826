"""Whether two models answered the same."""

from typing import Any


def predictions_differ(one: Any, other: Any, tolerance: float) -> bool:
    """Tell whether two predictions differ.

    Numbers do by more than `tolerance`, relative to the larger; lists do when any element does, or
    one is longer; anything else when it is not equal.
    """
    if isinstance(one, list) and isinstance(other, list):
        pairs = zip(one, other, strict=False)
        return len(one) != len(other) or any(predictions_differ(*pair, tolerance) for pair in pairs)
    if _number(one) and _number(other):
        try:
            return bool(abs(one - other) > tolerance * max(abs(one), abs(other)))
        except OverflowError:  # whole numbers of JSON know no bounds
            return bool(one != other)
    return bool(one != other or isinstance(one, bool) is not isinstance(other, bool))


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
