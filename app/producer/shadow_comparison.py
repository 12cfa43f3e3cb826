"""Compare the answers of two models to the same call, row by row."""

import math
from collections.abc import Iterator, Sequence
from typing import Any

from app import errors
from app.models.feature_counts import Outcome
from app.models.shadow_counts import Counts
from app.producer.rpc.replies import read_prediction

TOLERANCE = 1e-9  # relative; numbers that differ by more disagree
MAX_NUMBER = 1e100  # larger ones are compared as labels are, because their sums might overflow


def compare(base: bytes, shadow: bytes, *, many: bool) -> list[Outcome]:
    """Compare two replies, which are JSON; `many` tells that they answer a list of rows.

    A row with several numbers has the largest of their differences.

    Raises `errors.WarrenError` for one that is no prediction, and for other numbers of rows.
    """
    answers = read_prediction(base).prediction, read_prediction(shadow).prediction
    rows = list(zip(*_lists(*answers), strict=True)) if many else [answers]
    return [_outcome(list(_values(*row))) for row in rows]


def counted(outcomes: Sequence[Outcome]) -> Counts:
    """Return the counts of one call."""
    differences = [each.difference for each in outcomes if each.difference is not None]
    total, largest = math.fsum(differences), max(differences, default=0.0)
    disagreed = sum(each.disagreed for each in outcomes)
    return Counts(1, len(outcomes), disagreed, len(differences), total, largest)


def _outcome(pairs: Sequence[tuple[Any, Any]]) -> Outcome:
    disagreed = any(_disagree(*pair) for pair in pairs)
    if pairs and all(_are_numbers(*pair) for pair in pairs):
        return Outcome(disagreed, float(max(abs(a - b) for a, b in pairs)))
    return Outcome(disagreed)


def _lists(base: Any, shadow: Any) -> tuple[list[Any], list[Any]]:
    if not (isinstance(base, list) and isinstance(shadow, list) and len(base) == len(shadow)):
        raise errors.WarrenError("the shadow has answered another number of rows")
    return base, shadow


def _values(base: Any, shadow: Any) -> Iterator[tuple[Any, Any]]:
    """Yield the values of two answers side by side; lists of different lengths are one value."""
    if isinstance(base, list) and isinstance(shadow, list) and len(base) == len(shadow):
        for pair in zip(base, shadow, strict=True):
            yield from _values(*pair)
    else:
        yield base, shadow


def _disagree(base: Any, shadow: Any) -> bool:
    if _are_numbers(base, shadow):
        return bool(abs(base - shadow) > TOLERANCE * max(abs(base), abs(shadow)))
    # Python's True is 1, and JSON's true is not.
    return isinstance(base, bool) is not isinstance(shadow, bool) or bool(base != shadow)


def _are_numbers(base: Any, shadow: Any) -> bool:
    return all(
        isinstance(each, int | float) and not isinstance(each, bool) and abs(each) < MAX_NUMBER
        for each in (base, shadow)
    )
