"""Limit concurrency, and run blocking work in threads."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from contextvars import copy_context
from functools import partial
from typing import Any, ParamSpec, TypeVar

import anyio.to_thread

from app import errors

LARGE_BYTES = 100_000  # what takes a millisecond or more to read or to write
T = TypeVar("T")


async def offload_if_large(size: int, work: Callable[[], T]) -> T:
    """Return what `work` returns, or raise what it does; with so many bytes by a thread."""
    return await asyncio.to_thread(work) if size > LARGE_BYTES else work()


async def run_in_pool(pool: ThreadPoolExecutor, call: Callable[[], T]) -> T:
    """Return what `call` returns, run by a thread of the pool; its log lines have the job."""
    context = copy_context()
    return await asyncio.get_running_loop().run_in_executor(pool, context.run, call)


class ConcurrencyLimiter:
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
        `errors.ShuttingDown` once the gate is shut.
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
                    each.set_exception(errors.ShuttingDown())
            line.clear()

    async def _enter(self, *, patient: bool) -> None:
        if self._shut:
            raise errors.ShuttingDown
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


THREAD_TIMEOUT_SECONDS = 15.0
P = ParamSpec("P")


async def run_in_thread(call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run what blocks (S3, the database) in a thread, off the event loop.

    Raises `errors.Unavailable` when that takes too long: nobody answers, and nobody refuses.
    """
    try:
        async with asyncio.timeout(THREAD_TIMEOUT_SECONDS):
            return await anyio.to_thread.run_sync(
                partial(call, *args, **kwargs), abandon_on_cancel=True
            )
    except TimeoutError:
        raise errors.Unavailable(f"no answer within {THREAD_TIMEOUT_SECONDS:g} s") from None


def succeed(future: asyncio.Future[Any], result: object) -> None:
    """Set a future's result unless it is done."""
    if not future.done():
        future.set_result(result)


def fail(future: asyncio.Future[Any], error: Exception) -> None:
    """Set a future's exception unless it is done."""
    if not future.done():
        future.set_exception(error)
