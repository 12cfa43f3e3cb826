"""Growing delays between attempts, and retries until a dependency is available."""

import logging
import random
import threading
from collections.abc import Callable, Iterator
from time import monotonic
from typing import TypeVar

from app import errors

log = logging.getLogger(__name__)

STEADY_SECONDS = 5.0  # a connection that was lost sooner may soon be lost again

T = TypeVar("T")


def backoff_delays() -> Iterator[float]:
    """Yield the seconds to wait before each new connection: doubling from 0.1 to 5, with jitter.

    The jitter shortens a delay by up to a half, so that many processes do not reconnect at once.
    """
    delay = 0.1
    while True:
        yield delay * random.uniform(0.5, 1.0)  # noqa: S311 # nosec B311 # no secret
        delay = min(delay * 2, 5.0)


class ReconnectBackoff:
    """The delays between connections. They start at the shortest again after a steady one."""

    def __init__(
        self,
        delays: Callable[[], Iterator[float]] | None = None,
        steady_seconds: float = STEADY_SECONDS,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        """Create the delays; they start again after a connection that lasted `steady_seconds`."""
        self._make_delays = delays or backoff_delays
        self._steady_seconds = steady_seconds
        self._clock = clock
        self._delays = self._make_delays()
        self._since = clock()

    def begin(self) -> None:
        """Record the start of an attempt to connect."""
        self._since = self._clock()

    def next(self) -> float:
        """Return the seconds to wait after the loss of the connection."""
        if self._clock() > self._since + self._steady_seconds:
            self._delays = self._make_delays()
        return next(self._delays)


class RetryUntilAvailable:
    """Repeat a call until a dependency is available or the process stops."""

    def __init__(
        self,
        stopping: threading.Event,
        delays: Callable[[], Iterator[float]] = backoff_delays,
    ) -> None:
        """Let `stopping` end all waits; `delays` yields the seconds between calls."""
        self._stopping = stopping
        self._delays = delays

    def __call__(self, call: Callable[[], T], seconds: float = float("inf")) -> T:
        """Return what `call` returns; repeat it after `errors.Unavailable` for up to `seconds`.

        Raises the last error after that time, and `errors.ShuttingDown` when the process stops.
        """
        deadline = monotonic() + seconds
        for delay in self._delays():
            try:
                return call()
            except errors.Unavailable as error:
                if monotonic() > deadline:
                    raise
                log.warning("%s; again in %.1f s", error, delay)
                self.wait(delay)
        raise AssertionError

    def wait(self, seconds: float) -> None:
        """Wait for `seconds`. Raises `errors.ShuttingDown` when the process stops."""
        if self._stopping.wait(seconds):
            raise errors.ShuttingDown

    def raise_if_stopping(self) -> None:
        """Raise `errors.ShuttingDown` if the process stops."""
        if self._stopping.is_set():
            raise errors.ShuttingDown
