"""A gate: so many are inside at a time, and a bounded number wait for their turn."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from app import errors


class Gate:
    """Belongs to one event loop.

    Callers are served before those that are patient, and of each kind who came first.
    """

    def __init__(self, limit: int) -> None:
        """Let `limit` in at a time, and let as many callers again wait."""
        self._limit = limit
        self._inside = 0
        self._callers: deque[asyncio.Future[None]] = deque()
        self._patient: deque[asyncio.Future[None]] = deque()
        self._shut = False

    @asynccontextmanager
    async def turn(self, *, patient: bool = False) -> AsyncIterator[None]:
        """Be inside for the block.

        Raises `errors.Overloaded` where as many callers wait as may, unless `patient`, and
        `errors.Interrupted` once the gate is shut.
        """
        await self._enter(patient=patient)
        try:
            yield
        finally:
            self._leave()

    def shut(self) -> None:
        """Let nobody in any more; who waits is told."""
        self._shut = True
        for line in (self._callers, self._patient):
            for each in line:
                if not each.done():
                    each.set_exception(errors.Interrupted())
            line.clear()

    async def _enter(self, *, patient: bool) -> None:
        if self._shut:
            raise errors.Interrupted
        if self._inside < self._limit:
            self._inside += 1
            return
        if len(self._callers) >= self._limit and not patient:
            raise errors.Overloaded(
                f"{self._limit} calls of this model are under way and as many wait: "
                "ask again in a moment"
            )
        mine = asyncio.get_running_loop().create_future()
        line = self._patient if patient else self._callers
        line.append(mine)
        try:
            await mine
        except BaseException:
            if mine.done() and not mine.cancelled() and not mine.exception():
                self._leave()  # the turn came as this one gave up
            elif mine in line:
                line.remove(mine)
            raise

    def _leave(self) -> None:
        """Hand the place to who waits longest, if anybody does."""
        for line in (self._callers, self._patient):
            while line:
                if not (first := line.popleft()).done():
                    first.set_result(None)
                    return
        self._inside -= 1
