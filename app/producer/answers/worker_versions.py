"""Whether producer and consumers run the same code."""

from collections import Counter
from collections.abc import Iterable

from app.jobs.workers import KnownWorker
from app.observability.version import running_version


def versions_of(workers: Iterable[KnownWorker]) -> dict[str, int]:
    """Return how many consumers that are alive run each version."""
    return dict(sorted(Counter(each.version for each in workers if each.state == "alive").items()))


def has_skew(workers: Iterable[KnownWorker]) -> bool:
    """Tell whether a consumer that is alive runs another version than this process."""
    return bool(versions_of(workers).keys() - {running_version()})
