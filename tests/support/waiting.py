"""Wait for something to happen, and not longer."""

from collections.abc import Callable
from time import monotonic, sleep
from typing import TypeVar

T = TypeVar("T")


def until(ask: Callable[[], T], what: str, seconds: float = 20) -> T:
    """Return the first true answer."""
    deadline = monotonic() + seconds
    while not (answer := ask()):
        assert monotonic() < deadline, f"not within {seconds:.0f} s: {what}"
        sleep(0.01)
    return answer
