"""Bound the memory that the loads of models under way take together."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from app import errors

TOGETHER = 2_000_000_000  # bytes of the loads at a time that are not large
LARGE = 600_000_000  # bytes; a load of more waits only for others of its kind, one at a time
WAIT_SECONDS = 5.0


class LoadingMemory:
    """The memory that is left for loads; any thread may use it."""

    def __init__(self, together: int = TOGETHER, wait_seconds: float = WAIT_SECONDS) -> None:
        """Let loads take `together` bytes, and wait for `wait_seconds`."""
        self._together = together
        self._wait_seconds = wait_seconds
        self._taken = 0
        self._large = False
        self._changed = threading.Condition()

    @contextmanager
    def reserved(self, size: int) -> Iterator[None]:
        """Hold `size` bytes during the block. Raises `errors.Overloaded` if none become free."""
        large = size > min(LARGE, self._together)
        with self._changed:
            if not self._changed.wait_for(lambda: self._fits(size, large), self._wait_seconds):
                raise errors.Overloaded("too many models are being loaded; ask again in a moment")
            self._take(size, large)
        try:
            yield
        finally:
            with self._changed:
                self._take(-size, large)
                self._changed.notify_all()

    def _fits(self, size: int, large: bool) -> bool:
        return not self._large if large else self._taken + size <= self._together

    def _take(self, size: int, large: bool) -> None:
        if large:
            self._large = size > 0
        else:
            self._taken += size
