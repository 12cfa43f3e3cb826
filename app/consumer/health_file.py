"""The file by which a health check sees that a consumer serves its connections to the broker."""

import math
from collections.abc import Callable, Iterable
from pathlib import Path
from time import monotonic

SERVED_SECONDS = 10.0  # a connection without attention for longer misses its heartbeats


class LastServed:
    """The time at which a connection was served last; never, before the first `note`."""

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        """Use `clock` for the time, in seconds."""
        self._clock = clock
        self._at = -math.inf

    def note(self) -> None:
        """Note that the connection is being served now."""
        self._at = self._clock()

    @property
    def recent(self) -> bool:
        """Whether the connection was served in the last `SERVED_SECONDS`."""
        return self._clock() - self._at < SERVED_SECONDS


def all_served(connections: Iterable[LastServed]) -> bool:
    """Return whether all connections were served recently."""
    return all(each.recent for each in connections)


def touch_health_file(path: str | None, connections: Iterable[LastServed]) -> None:
    """Touch the file if there is one and all connections were served recently."""
    if path and all_served(connections):
        Path(path).touch()
