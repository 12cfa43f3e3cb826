"""Bound the memory that the loads and runs of models take together in a consumer.

A run in a process of its own may take `small` bytes without asking, and a piece of rows in the
consumer's own process `piece` bytes: as many as can run at a time have their share. All else waits
for its turn, in order: loads, and runs that need more. So small runs never wait for large ones.
"""

import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from math import inf
from time import monotonic
from weakref import finalize

from cachetools import LRUCache

from app import errors

PROCESSES = 24  # that run at a time without asking; see `model_lines` and `job_prediction`
WAIT_SECONDS = 5.0  # below `PREDICT_TIMEOUT`, so that the asker is told
MACHINE_SHARE = 4  # the default is this part of the machine's memory
LEAST = 1_000_000_000
REMEMBERED = 10_000  # models
SLOW_SECONDS = 1.0  # of a run; slow ones wait behind one another for much memory
_SMALL = 8_000_000, 64_000_000
_PIECE = 4_000_000, 64_000_000


def default_total(machine: int) -> int:
    """Return how much of the memory of a machine models may take."""
    return max(LEAST, machine // MACHINE_SHARE)


class MemoryBudget:
    """The memory for models; any thread may use it."""

    def __init__(
        self,
        total: int = LEAST,
        cache: int = 0,
        threads: int = 1,
        *,
        wait_seconds: float = WAIT_SECONDS,
    ) -> None:
        """Share `total` bytes, and `cache` bytes more for the loaded models that are kept.

        `threads` of each kind run models. A turn that names no time comes within `wait_seconds`.
        """
        self.small = _within(_SMALL, total // 4 // PROCESSES)
        self.piece = _within(_PIECE, total // 8 // (2 * threads))
        left = total - PROCESSES * self.small - 2 * threads * self.piece
        self.most = max(left, total // 4)  # bytes that one load or run may take
        self.wait_seconds = wait_seconds
        self._cache = cache
        self._taken = self._slow = 0
        self.waiting: deque[_Turn] = deque()
        self._changed = threading.Condition()
        self._accounts: LRUCache[str, RunAccount] = LRUCache(REMEMBERED)

    @property
    def taken(self) -> int:
        """The bytes that loads, loaded models, and large runs take."""
        return self._taken

    def account(self, model_id: str, *, spares: bool = True) -> "RunAccount":
        """Return what is known of the runs of a model; unless it `spares`, all runs are large."""
        if not spares:
            return RunAccount(self, 0)
        with self._changed:
            if (known := self._accounts.get(model_id)) is None:
                known = self._accounts[model_id] = RunAccount(self)
            return known

    def take(self, size: int, *, slow: bool = False, seconds: float | None = None) -> int:
        """Wait for `size` bytes, at most `most`, and take them; return how many these are.

        Slow runs get at most half of all. Raises `errors.MemoryTaken` after `seconds`, or
        `wait_seconds`.
        """
        turn = _Turn(min(size, self.most), slow=slow)
        with self._changed:
            self.waiting.append(turn)
            try:
                wait = self.wait_seconds if seconds is None else seconds
                if not self._changed.wait_for(lambda: self._is_next(turn), wait):
                    raise errors.MemoryTaken(
                        "too many models need memory at a time; ask again in a moment"
                    )
                self._add(turn, turn.size)
            finally:
                self.waiting.remove(turn)
                self._changed.notify_all()
        return turn.size

    def give(self, size: int, *, slow: bool = False) -> None:
        """Return bytes that were taken; those that wait get them."""
        with self._changed:
            self._add(_Turn(size, slow=slow), -size)
            self._changed.notify_all()

    @contextmanager
    def reserved(
        self, size: int, *, slow: bool = False, seconds: float | None = None
    ) -> Iterator[int]:
        """Hold bytes during the block, and give it their number; see `take`."""
        taken = self.take(size, slow=slow, seconds=seconds)
        try:
            yield taken
        finally:
            self.give(taken, slow=slow)

    def hold(self, model: object, size: int) -> None:
        """Take the bytes of a loaded model at once, until it is deleted.

        There are as many, because its load has just taken more, and others wait behind it.
        """
        with self._changed:
            self._taken += size
        finalize(model, self.give, size).atexit = False

    def _is_next(self, turn: "_Turn") -> bool:
        """Tell whether there is room, and nobody came earlier who waits for memory only."""
        for each in self.waiting:
            if each is turn:
                room = self._taken + turn.size <= self.most + self._cache
                return self._may_run(turn) and room
            if self._may_run(each):
                return False
        return False

    def _may_run(self, turn: "_Turn") -> bool:
        """Tell whether slow runs leave enough to others."""
        return not (turn.slow and self._slow and self._slow + turn.size > self.most // 2)

    def _add(self, turn: "_Turn", size: int) -> None:
        self._taken += size
        if turn.slow:
            self._slow += size


class _Turn:
    """Somebody who waits for memory."""

    def __init__(self, size: int, *, slow: bool) -> None:
        self.size = size
        self.slow = slow


class RunAccount:
    """The memory and the time that the runs of a model took. It outlives the model's process.

    `large_from` is the size of the smallest inputs that needed more than a small run has, and
    `slow` tells whether the last run took long.
    """

    def __init__(self, budget: MemoryBudget, large_from: float = inf) -> None:
        """Know nothing yet of the model."""
        self.budget = budget
        self.large_from = large_from
        self.slow = False

    @contextmanager
    def timed(self) -> Iterator[None]:
        """Note how long a run takes, which is the block."""
        begun = monotonic()
        try:
            yield
        finally:
            self.slow = monotonic() - begun > SLOW_SECONDS


def _within(bounds: tuple[int, int], size: int) -> int:
    least, most = bounds
    return max(least, min(most, size))
