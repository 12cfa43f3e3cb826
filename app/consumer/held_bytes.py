"""Bound the memory of requests that wait."""

import threading

from app import errors

HELD_BYTES = 256_000_000


class HeldBytes:
    """Counts what waiting requests take, in bytes; any thread may use it."""

    def __init__(self, most: int = HELD_BYTES) -> None:
        """Let waiting requests take at most `most` bytes."""
        self._most = most
        self._held = 0
        self._lock = threading.Lock()

    @property
    def held(self) -> int:
        """Return how many bytes are held."""
        return self._held

    def take(self, size: int) -> None:
        """Count `size` bytes until `give` returns them. Raises `errors.Overloaded`.

        A request that is larger than all that may wait can wait alone.
        """
        with self._lock:
            if self._held and self._held + size > self._most:
                detail = f"the requests that wait take {self._held} bytes: ask again in a moment"
                raise errors.Overloaded(detail)
            self._held += size

    def give(self, size: int) -> None:
        """Return bytes that were taken."""
        with self._lock:
            self._held -= size
