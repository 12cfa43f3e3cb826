"""Keep counts of shadows in memory, and add them to the table from time to time."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial

from app import errors
from app.concurrency import run_in_thread
from app.database.engine import Engine
from app.models.feature_counts import ComparedRow, count_rows
from app.models.shadow_counts import Counts, Pair, add_counts
from app.models.shadow_features import add_features

log = logging.getLogger(__name__)

WRITE_SECONDS = 5.0
MAX_PAIRS = 1000  # whose counts wait in memory; further ones are not counted
MAX_ROWS = 500  # of all pairs that wait to be counted by feature; further ones are not


class ShadowTally:
    """Counts of what a producer compares. It belongs to one event loop.

    A task writes the counts every `seconds` while there are new ones. While the database cannot be
    reached, they wait.
    """

    def __init__(self, engine: Engine, seconds: float = WRITE_SECONDS) -> None:
        """Write nothing yet."""
        self._engine = engine
        self._seconds = seconds
        self._counts: dict[Pair, Counts] = {}
        self._dropped: dict[Pair, int] = {}  # of pairs that have counts
        self._rows: dict[Pair, list[ComparedRow]] = {}
        self._writer: asyncio.Task[None] | None = None
        self._stopping = asyncio.Event()

    def add(self, pair: Pair, counts: Counts, rows: Sequence[ComparedRow] = ()) -> None:
        """Count, now in memory and soon in the table; `rows` are only counted there."""
        if pair in self._counts or len(self._counts) < MAX_PAIRS:
            self._counts[pair] = self._counts.get(pair, Counts()) + counts
            if rows and (room := MAX_ROWS - sum(map(len, self._rows.values()))) > 0:
                self._rows.setdefault(pair, []).extend(rows[:room])
        if self._writer is None and not self._stopping.is_set():
            self._writer = asyncio.create_task(self._write_until_empty(), name="shadow counts")

    def drop(self, pair: Pair) -> None:
        """Count a call that is not sent. Under load, these are nearly all calls of an alias."""
        if pair in self._dropped:
            self._dropped[pair] += 1
        else:
            self.add(pair, Counts())
            if pair in self._counts:
                self._dropped[pair] = 1

    async def stop(self) -> None:
        """Write what is left, or try to once; later counts are not written."""
        self._stopping.set()
        if self._writer:
            await self._writer

    async def _write_until_empty(self) -> None:
        while self._counts:
            with suppress(TimeoutError):
                async with asyncio.timeout(self._seconds):
                    await self._stopping.wait()
            await self._write()
            if self._stopping.is_set():
                break
        self._writer = None

    async def _write(self) -> None:
        for pair in list(self._counts):
            counts = self._counts.pop(pair) + Counts(dropped=self._dropped.pop(pair, 0))
            rows = self._rows.pop(pair, [])
            write = partial(add_counts, self._engine, pair, counts)
            by_feature = partial(_add_rows, self._engine, pair, rows)
            if not await self._has_written(pair, write):
                self._counts[pair] = self._counts.get(pair, Counts()) + counts
                return
            if rows and not await self._has_written(pair, by_feature):
                return  # the rows are some of many, and these are lost

    async def _has_written(self, pair: Pair, write: Callable[[], None]) -> bool:
        """Return False if the database cannot be reached; a bug is logged."""
        try:
            await run_in_thread(write)
        except errors.Unavailable as error:
            log.warning("the counts of shadows wait: %s", error)
            return False
        except Exception:
            log.exception("the counts of the shadow of %s are lost", pair.name)
        return True


def _add_rows(engine: Engine, pair: Pair, rows: Sequence[ComparedRow]) -> None:
    add_features(engine, pair, count_rows(rows))
