"""Share the iterations of the event loop among callers.

Work that begins in an iteration delays all work that follows it. So a caller may only begin so much
work in an iteration. The rest waits for later iterations, behind the work that other callers begin.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Hashable

TURN = 64  # units that a caller may take in an iteration of the loop


class Turns:
    """Counts what each caller takes in an iteration. It belongs to one event loop.

    uvloop reads the clock once in an iteration, so a new time of the loop is a new iteration.
    """

    def __init__(self, clock: Callable[[], float] | None = None, turn: int = TURN) -> None:
        """Let each caller take `turn` units; `clock` is by default the time of the running loop."""
        self._clock = clock
        self._turn = turn
        self._now = -1.0
        self._taken: dict[Hashable, int] = {}
        self._waiting: dict[Hashable, deque[tuple[int, Callable[[], object]]]] = {}

    def take(self, caller: Hashable, units: int) -> bool:
        """Take units now and return True; return False if the caller has had its turn or waits."""
        clock = self._clock
        if clock is None:
            clock = self._clock = asyncio.get_running_loop().time
        if (now := clock()) != self._now:
            self._now = now
            self._taken.clear()
        taken = self._taken.get(caller, 0)
        if taken >= self._turn or caller in self._waiting:
            return False
        self._taken[caller] = taken + units
        return True

    def wait(self, caller: Hashable, units: int, begin: Callable[[], object]) -> None:
        """Call `begin` in a later iteration, when it is the caller's turn, and count its units."""
        if not self._waiting:
            # The first of two callbacks still runs in this iteration.
            loop = asyncio.get_running_loop()
            loop.call_soon(loop.call_soon, self._next)
        self._waiting.setdefault(caller, deque()).append((units, begin))

    def _next(self) -> None:
        """Give each caller that waits one turn."""
        for caller in list(self._waiting):
            waiting, taken = self._waiting[caller], 0
            for _ in range(len(waiting)):  # `begin` may call `wait` again
                if taken >= self._turn:
                    break
                units, begin = waiting.popleft()
                taken += units
                begin()
            self._taken[caller] = taken
            if not waiting:
                del self._waiting[caller]
        if self._waiting:
            asyncio.get_running_loop().call_soon(self._next)
