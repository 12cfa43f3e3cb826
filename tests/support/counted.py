"""What a metric of this process counts while a block runs."""

from collections.abc import Iterator
from contextlib import contextmanager

from app.observability.metrics.families import Counter, Histogram, Labels


@contextmanager
def counted(metric: Counter | Histogram) -> Iterator[dict[Labels, float]]:
    """Yield a dict that has the increase of each count after the block, of those that grow."""
    before, increase = _counts(metric), dict[Labels, float]()
    yield increase
    for labels, count in _counts(metric).items():
        if more := count - before.get(labels, 0):
            increase[labels] = more


def _counts(metric: Counter | Histogram) -> dict[Labels, float]:
    if isinstance(metric, Counter):
        return metric.read()
    return {labels: sum(counts) for labels, (counts, _) in metric.read().items()}
