"""Bound the bytes that tasks of an event loop hold at a time."""

import asyncio
from collections import deque


class ByteBudget:
    """Lets tasks hold at most so many bytes together; the others wait, in their order.

    It belongs to one event loop.
    """

    def __init__(self, most: int) -> None:
        """Create a budget of `most` bytes. A task that needs more takes them alone."""
        self._most = most
        self._held = 0
        self._waiting: deque[tuple[int, asyncio.Future[None]]] = deque()

    @property
    def held(self) -> int:
        """Return how many bytes are held."""
        return self._held

    def take_now(self, size: int) -> bool:
        """Take bytes if there are so many and nobody waits; tell whether they were taken."""
        if self._waiting or not self._fits(size):
            return False
        self._held += size
        return True

    async def take(self, size: int) -> None:
        """Wait for bytes and take them."""
        if self.take_now(size):
            return
        granted = asyncio.get_running_loop().create_future()
        self._waiting.append((size, granted))
        try:
            await granted
        except asyncio.CancelledError:
            if granted.done() and not granted.cancelled():
                self.give(size)  # they came while the task was being cancelled
            else:
                self._waiting.remove((size, granted))
                self._grant()
            raise

    def give(self, size: int) -> None:
        """Return bytes, which those that wait get."""
        self._held -= size
        self._grant()

    def _fits(self, size: int) -> bool:
        return not self._held or self._held + size <= self._most

    def _grant(self) -> None:
        while self._waiting and self._fits(self._waiting[0][0]):
            size, granted = self._waiting.popleft()
            if not granted.done():
                self._held += size
                granted.set_result(None)
