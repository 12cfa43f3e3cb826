"""Run blocking work in threads, and limit how many callers run at a time."""

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

LARGE_BYTES = 100_000  # parsing or encoding this many takes a millisecond or more
THREAD_TIMEOUT_SECONDS = 15.0

P = ParamSpec("P")
T = TypeVar("T")


async def run_in_thread(call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run a call that blocks (S3, the database) in a thread, and return its result.

    Raises what the call does, or `errors.Unavailable` after `THREAD_TIMEOUT_SECONDS`. The thread
    continues then, and its result is discarded.
    """
    try:
        async with asyncio.timeout(THREAD_TIMEOUT_SECONDS):
            return await anyio.to_thread.run_sync(
                partial(call, *args, **kwargs), abandon_on_cancel=True
            )
    except TimeoutError:
        detail = f"the database or S3 gave no answer within {THREAD_TIMEOUT_SECONDS:g} s"
        raise errors.Unavailable(detail) from None


async def run_in_pool(pool: ThreadPoolExecutor | None, call: Callable[[], T]) -> T:
    """Run a call in a thread of `pool`, or of the event loop's own, and return its result.

    It has no time limit. Context variables are passed on, so its log lines carry the job's id.
    """
    context = copy_context()
    return await asyncio.get_running_loop().run_in_executor(pool, context.run, call)


async def offload_if_large(size: int, call: Callable[[], T]) -> T:
    """Run a call that handles `size` bytes, in a thread if they are many; return its result."""
    return await run_in_pool(None, call) if size > LARGE_BYTES else call()


class ConcurrencyLimiter:
    """Limits how many callers hold a slot at a time. It belongs to one event loop.

    As many ordinary callers as there are slots may wait for one. Any number of background callers
    may wait, but they get a slot after the ordinary ones. Within each kind, callers are served in
    the order of their arrival.
    """

    def __init__(self, limit: int) -> None:
        """Create `limit` slots."""
        self._limit = limit
        self._held = 0
        self._callers: deque[asyncio.Future[None]] = deque()
        self._background: deque[asyncio.Future[None]] = deque()
        self._closed = False

    @asynccontextmanager
    async def slot(self, *, background: bool = False) -> AsyncIterator[None]:
        """Wait for a slot, and hold it for the block.

        Raises `errors.Overloaded` if too many callers wait and this one is not `background`, and
        `errors.ShuttingDown` after `close`.
        """
        await self._acquire(background=background)
        try:
            yield
        finally:
            self._release()

    def close(self) -> None:
        """Grant no more slots; raise `errors.ShuttingDown` in waiting and later callers."""
        self._closed = True
        for queue in (self._callers, self._background):
            for waiter in queue:
                if not waiter.done():
                    waiter.set_exception(errors.ShuttingDown())
            queue.clear()

    async def _acquire(self, *, background: bool) -> None:
        if self._closed:
            raise errors.ShuttingDown
        if self._held < self._limit:
            self._held += 1
            return
        if len(self._callers) >= self._limit and not background:
            raise errors.Overloaded(
                f"{self._limit} calls of this model are running and as many are waiting: "
                "ask again in a moment"
            )
        waiter = asyncio.get_running_loop().create_future()
        queue = self._background if background else self._callers
        queue.append(waiter)
        try:
            await waiter
        except BaseException:
            if waiter.done() and not waiter.cancelled() and not waiter.exception():
                self._release()  # the slot came while this caller was being cancelled
            elif waiter in queue:
                queue.remove(waiter)
            raise

    def _release(self) -> None:
        """Pass the slot on to the next caller, or free it."""
        for queue in (self._callers, self._background):
            while queue:
                if not (waiter := queue.popleft()).done():
                    waiter.set_result(None)
                    return
        self._held -= 1


def succeed(future: asyncio.Future[Any], result: object) -> None:
    """Set a future's result unless it is done."""
    if not future.done():
        future.set_result(result)


def fail(future: asyncio.Future[Any], error: Exception) -> None:
    """Set a future's exception unless it is done."""
    if not future.done():
        future.set_exception(error)
