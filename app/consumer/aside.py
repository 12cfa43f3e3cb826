"""What takes long is done aside, so that the calls that share an event loop have their turns."""

import asyncio
from collections.abc import Callable
from typing import TypeVar

LARGE_BYTES = 100_000  # what takes a millisecond or more to read or to write

T = TypeVar("T")


async def aside(size: int, work: Callable[[], T]) -> T:
    """Return what `work` returns, or raise what it does; with so many bytes by a thread."""
    return await asyncio.to_thread(work) if size > LARGE_BYTES else work()
