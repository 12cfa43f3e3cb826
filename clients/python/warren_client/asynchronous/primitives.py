"""What differs between the two clients: how they sleep, read files and send."""

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import TypeVar

import httpx2

READ_BYTES = 1_000_000
ResultT = TypeVar("ResultT")

AsyncHttp = httpx2.AsyncClient


async def sleep(seconds: float) -> None:
    """Wait."""
    await asyncio.sleep(seconds)


async def work(function: Callable[[], ResultT]) -> ResultT:
    """Return the result of a function that computes or reads files, in a thread."""
    return await asyncio.to_thread(function)


async def pieces(path: Path) -> AsyncIterator[bytes]:
    """Yield the bytes of a file."""
    with await asyncio.to_thread(path.open, "rb") as file:
        while piece := await asyncio.to_thread(file.read, READ_BYTES):
            yield piece
