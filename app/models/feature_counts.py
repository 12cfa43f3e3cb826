"""Counts of rows that two models have answered, by the values of each feature; they add up.

The numbers of a feature are kept as points: about `POINTS` groups of neighbouring values, each with
its counts. So counts of several producers become one without edges on which they would have to
agree first, and the quartiles are those of all rows. Up to `POINTS` different numbers are exact.
"""

from collections.abc import Iterable, Mapping
from dataclasses import astuple, dataclass, field
from operator import itemgetter
from time import sleep
from typing import Any, NamedTuple, TypeVar

MAX_FEATURES = 30  # the first that are met
POINTS = 32  # of a feature; joined ones share one while they have at most this part of the rows
MAX_VALUES = 50  # texts of a feature; rows of further ones are counted together
MAX_TEXT = 100  # characters of a text
MAX_NUMBER = 1e100  # larger ones, whose sums might overflow, count with the further texts


class Outcome(NamedTuple):
    """How two answers to a row compare; `difference` is absolute, None for other than numbers."""

    disagreed: bool
    difference: float | None = None


class ComparedRow(NamedTuple):
    """The values of a row by feature, and how its answers compare."""

    values: Mapping[str, Any]
    outcome: Outcome


@dataclass(frozen=True, slots=True)
class Rows:
    """Counts of some rows: how many disagree, how many have numbers, and their differences."""

    rows: int = 0
    disagreed: int = 0
    numbers: int = 0
    difference_sum: float = 0.0

    def __add__(self, other: "Rows") -> "Rows":
        return Rows(
            self.rows + other.rows,
            self.disagreed + other.disagreed,
            self.numbers + other.numbers,
            self.difference_sum + other.difference_sum,
        )

    @property
    def rate(self) -> float | None:
        """The share of the rows that disagree, None without rows."""
        return self.disagreed / self.rows if self.rows else None

    @property
    def difference_mean(self) -> float | None:
        """The mean of the absolute differences, None without numbers."""
        return self.difference_sum / self.numbers if self.numbers else None


Point = tuple[float, Rows]


@dataclass
class FeatureCounts:
    """The counts of a feature: by number, by text, of all further values, of missing ones."""

    points: list[Point] = field(default_factory=list)
    texts: dict[str, Rows] = field(default_factory=dict)
    other: Rows = field(default_factory=Rows)
    missing: Rows = field(default_factory=Rows)

    def to_json(self) -> dict[str, Any]:
        """Return the counts as JSON has them."""
        return {
            "points": [[value, *astuple(rows)] for value, rows in self.points],
            "texts": {text: astuple(rows) for text, rows in self.texts.items()},
            "other": astuple(self.other),
            "missing": astuple(self.missing),
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "FeatureCounts":
        """Return what `to_json` has written."""
        return cls(
            [(point, Rows(*rows)) for point, *rows in value["points"]],
            {text: Rows(*rows) for text, rows in value["texts"].items()},
            Rows(*value["other"]),
            Rows(*value["missing"]),
        )


Features = dict[str, FeatureCounts]
KeyT = TypeVar("KeyT")


def most_frequent_first(texts: Mapping[str, Rows]) -> list[tuple[str, Rows]]:
    """Return texts by how many rows have them; those of equally many in the order of letters."""
    return sorted(texts.items(), key=lambda each: (-each[1].rows, each[0]))


def count_rows(compared: Iterable[ComparedRow]) -> Features:
    """Return the counts of rows, of the first `MAX_FEATURES` features.

    The interpreter is free for other threads between rows and between features.
    """
    found: Features = {}
    for values, (disagreed, difference) in compared:
        sleep(0)
        one = Rows(1, int(disagreed), int(difference is not None), difference or 0.0)
        for name, value in values.items():
            counts = found.get(name)
            if counts is None:
                if len(found) == MAX_FEATURES:
                    continue
                counts = found[name] = FeatureCounts()
            _count(counts, value, one)
    for name, counts in found.items():
        sleep(0)
        found[name] = _bounded(counts)
    return found


def added(one: Features, other: Features) -> Features:
    """Return the sum of two counts; of more than `MAX_FEATURES`, those of `one` come first."""
    names = [*one, *(name for name in other if name not in one)][:MAX_FEATURES]
    nothing = FeatureCounts()
    return {name: _sum(one.get(name, nothing), other.get(name, nothing)) for name in names}


def _count(counts: FeatureCounts, value: Any, one: Rows) -> None:
    if value is None:
        counts.missing += one
    elif isinstance(value, bool | str):
        text = value if isinstance(value, str) else str(value).lower()
        _add(counts.texts, text, one)
    elif isinstance(value, int | float) and abs(value) < MAX_NUMBER:
        counts.points.append((float(value), one))
    else:
        counts.other += one


def _sum(one: FeatureCounts, other: FeatureCounts) -> FeatureCounts:
    texts = dict(one.texts)
    for text, rows in other.texts.items():
        _add(texts, text, rows)
    both = FeatureCounts(one.points + other.points, texts, one.other + other.other)
    both.missing = one.missing + other.missing
    return _bounded(both)


def _add(sums: dict[KeyT, Rows], key: KeyT, rows: Rows) -> None:
    before = sums.get(key)
    sums[key] = rows if before is None else before + rows


def _bounded(counts: FeatureCounts) -> FeatureCounts:
    by_rows = most_frequent_first(counts.texts)
    further = sum((rows for _, rows in by_rows[MAX_VALUES:]), Rows())
    texts = dict(by_rows[:MAX_VALUES])
    return FeatureCounts(_joined(counts.points), texts, counts.other + further, counts.missing)


def _joined(points: list[Point]) -> list[Point]:
    """Return points in order, of which equal ones are one, and of too many neighbours, too."""
    different: dict[float, Rows] = {}
    for value, rows in points:
        _add(different, value, rows)
    found = sorted(different.items(), key=itemgetter(0))
    if len(found) <= 2 * POINTS:
        return found
    most = sum(rows.rows for _, rows in found) / POINTS
    joined = [found[0]]
    for value, rows in found[1:]:
        last, before = joined[-1]
        both = before + rows
        if both.rows <= most:
            joined[-1] = (last + (value - last) * rows.rows / both.rows, both)
        else:
            joined.append((value, rows))
    return joined
