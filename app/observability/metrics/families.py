"""Metrics that count in plain integers. A scrape renders them; counting costs no more than this.

A metric belongs to its process. Children of a consumer count nothing: what they did is told to
their parent, which counts it.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping
from threading import Lock
from typing import ClassVar

Labels = tuple[str, ...]
Read = Callable[[], Mapping[Labels, float]]  # the values of a gauge, by the values of its labels

PRODUCER, CONSUMER = "producer", "consumer"
BOTH = (PRODUCER, CONSUMER)


class Family:
    """A metric with all its labels."""

    kind: ClassVar[str]

    def __init__(
        self, name: str, meaning: str, labels: Labels = (), of: Iterable[str] = BOTH
    ) -> None:
        """Describe a metric that the processes `of` serve."""
        self.name = name
        self.meaning = meaning
        self.labels = labels
        self.of = tuple(of)


class Counter(Family):
    """A count that only grows; any thread may add to it."""

    kind = "counter"

    def __init__(
        self,
        name: str,
        meaning: str,
        labels: Labels = (),
        of: Iterable[str] = BOTH,
        known: Iterable[Labels] = (),
    ) -> None:
        """Start at 0 for the `known` values of the labels, so that a first event is an increase."""
        super().__init__(name, meaning, labels, of)
        self._counts: dict[Labels, float] = dict.fromkeys(known if labels else ((),), 0)
        self._lock = Lock()

    def add(self, *labels: str, by: float = 1) -> None:
        """Add to the count of these values of the labels."""
        with self._lock:
            self._counts[labels] = self._counts.get(labels, 0) + by

    def read(self) -> dict[Labels, float]:
        """Return the counts by the values of the labels."""
        with self._lock:
            return dict(self._counts)


class Series:
    """The observations of a histogram for the same values of its labels."""

    __slots__ = ("bounds", "counts", "sum")

    def __init__(self, bounds: tuple[float, ...]) -> None:
        """Start without any; `bounds` are the upper ends of the buckets."""
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.sum = 0.0

    def observe(self, value: float) -> None:
        """Count a value; only one thread at a time may do so."""
        self.counts[bisect_left(self.bounds, value)] += 1
        self.sum += value


class Histogram(Family):
    """How many values fell into each bucket, and their sum."""

    kind = "histogram"

    def __init__(
        self,
        name: str,
        meaning: str,
        labels: Labels = (),
        of: Iterable[str] = BOTH,
        *,
        bounds: tuple[float, ...],
    ) -> None:
        """Start without a value; a bucket holds the values up to its bound, and those at it."""
        super().__init__(name, meaning, labels, of)
        self.bounds = bounds
        self._series: dict[Labels, Series] = {}
        self._lock = Lock()

    def series(self, *labels: str) -> Series:
        """Return the series of these values of the labels, for one thread to observe with."""
        with self._lock:
            return self._find(labels)

    def observe(self, value: float, *labels: str) -> None:
        """Count a value; any thread may do so."""
        with self._lock:
            self._find(labels).observe(value)

    def read(self) -> dict[Labels, tuple[list[int], float]]:
        """Return the counts of the buckets and the sum, by the values of the labels."""
        with self._lock:
            return {labels: (list(s.counts), s.sum) for labels, s in self._series.items()}

    def _find(self, labels: Labels) -> Series:
        found = self._series.get(labels)
        if found is None:
            found = self._series[labels] = Series(self.bounds)
        return found


class Gauge(Family):
    """A value that is read when somebody scrapes; the process's main knows where."""

    kind = "gauge"
