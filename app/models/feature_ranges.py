"""Where two models disagree: by quartile of each feature, and by its most frequent texts."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from app.models.feature_counts import FeatureCounts, Features, Point, Rows, most_frequent_first

RANGES = 4
MAX_SHOWN = 10  # texts of a feature
LEAST_ROWS = 2  # of a text that is shown: a value of one row may be that of one person


@dataclass(frozen=True)
class Range:
    """The rows whose value is from `low` to less than `high`; None is no bound."""

    low: float | None
    high: float | None
    counts: Rows


@dataclass(frozen=True)
class Text:
    """The rows whose value is a text, or `true` or `false`."""

    value: str
    counts: Rows


@dataclass(frozen=True)
class FeatureDisagreement:
    """The counts of a feature by range and by text, of all further values, of missing ones.

    `unevenness` is the share of the disagreement that would have to be elsewhere for it to be as
    frequent, of numbers as large, everywhere: 0 where the feature tells nothing of it.
    """

    feature: str
    ranges: list[Range]
    texts: list[Text]
    other: Rows
    missing: Rows
    unevenness: float


def by_feature(counts: Features) -> list[FeatureDisagreement]:
    """Return where two models disagree, the feature that tells most of it first."""
    found = [_of(name, each) for name, each in counts.items()]
    return sorted(found, key=lambda each: -each.unevenness)


def _of(name: str, counts: FeatureCounts) -> FeatureDisagreement:
    by_rows = most_frequent_first(counts.texts)
    texts = [Text(*each) for each in by_rows[:MAX_SHOWN] if each[1].rows >= LEAST_ROWS]
    other = sum((rows for _, rows in by_rows[len(texts) :]), counts.other)
    ranges = quartiles(counts.points)
    parts = [*(each.counts for each in ranges), *(each.counts for each in texts)]
    parts += [other, counts.missing]
    return FeatureDisagreement(name, ranges, texts, other, counts.missing, _unevenness(parts))


def quartiles(points: Sequence[Point]) -> list[Range]:
    """Return the ranges of points in order that have about a quarter of the rows each.

    A value that is more frequent has one range; there are fewer then.
    """
    total = sum(rows.rows for _, rows in points)
    parts: list[list[Point]] = [[] for _ in range(RANGES)]
    before = 0
    for value, rows in points:
        middle = (before + rows.rows / 2) / total
        parts[min(int(middle * RANGES), RANGES - 1)].append((value, rows))
        before += rows.rows
    filled = [part for part in parts if part]
    inner = ((low[-1][0] + high[0][0]) / 2 for low, high in pairwise(filled))
    edges = [None, *inner, None]
    return [
        Range(edges[place], edges[place + 1], sum((rows for _, rows in part), Rows()))
        for place, part in enumerate(filled)
    ]


def _unevenness(parts: Sequence[Rows]) -> float:
    is_number = any(each.difference_sum for each in parts)
    sizes = [each.numbers if is_number else each.rows for each in parts]
    wrong = [each.difference_sum if is_number else float(each.disagreed) for each in parts]
    if not sum(sizes) or not sum(wrong):
        return 0.0
    shares = zip(wrong, sizes, strict=True)
    return sum(max(0.0, one / sum(wrong) - size / sum(sizes)) for one, size in shares)
