"""Figures as the tables show them."""

from collections.abc import Sequence
from math import isnan
from statistics import median
from typing import Any


def middle(values: Sequence[float], digits: int = 0) -> float | None:
    """Return the median, rounded to a whole number or to `digits`; None if there is no value."""
    found = median(values)
    if isnan(found):  # where no answer was a good one
        return None
    return round(found, digits) if digits else round(found)


def shown(row: dict[str, Any]) -> dict[str, Any]:
    """Print a row and return it."""
    print("  " + ", ".join(f"{name} {value}" for name, value in row.items()), flush=True)
    return row


def row(what: str, value: str, target: str = "") -> dict[str, Any]:
    """Make and print a line of a table whose lines are figures of several kinds."""
    return shown({"figure": what, "measured": value, "target": target})
