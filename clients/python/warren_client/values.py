"""Values of Python, numpy and pandas as JSON has them; neither numpy nor pandas is imported."""

import math
from datetime import date
from decimal import Decimal
from typing import Any

from warren_client.errors import Unsendable

Plain = None | bool | int | float | str


def plain(value: Any) -> Plain:
    """Return a value as JSON has it: null for NaN, NaT and NA, a date in ISO 8601.

    Raises `Unsendable` for infinity and for what JSON has no form of.
    """
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, float):
        return _finite(float(value))  # numpy's float64 is a float, too
    if isinstance(value, Decimal):
        return _finite(float(value))
    if type(value).__name__ in ("NAType", "NaTType"):
        return None
    if isinstance(value, date):
        return value.isoformat()
    if getattr(value, "shape", None) == () and hasattr(value, "dtype"):
        return _of_numpy(value)
    raise Unsendable(
        f"{value!r} is a {type(value).__name__}; use numbers, texts, booleans, dates or None"
    )


def _of_numpy(value: Any) -> Plain:
    if value.dtype.kind == "M":
        text = str(value)
        return None if text == "NaT" else text
    inner = value.item()
    if type(inner) is type(value):  # such as numpy's longdouble
        return _finite(float(value))
    return plain(inner)


def _finite(number: float) -> float | None:
    if math.isinf(number):
        raise Unsendable("a number is infinite; use a finite one, or None if it is missing")
    return None if math.isnan(number) else number
