"""What differs between the two clients: how they sleep, read files and send."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import httpx2

READ_BYTES = 1_000_000
ResultT = TypeVar("ResultT")

Http = httpx2.Client


def sleep(seconds: float) -> None:
    """Wait."""
    time.sleep(seconds)


def work(function: Callable[[], ResultT]) -> ResultT:
    """Return the result of a function that computes or reads files."""
    return function()


def pieces(path: Path) -> Iterator[bytes]:
    """Yield the bytes of a file."""
    with path.open("rb") as file:
        while piece := file.read(READ_BYTES):
            yield piece
