"""Waiting for a part that is away."""

import logging
import threading
from collections.abc import Callable
from time import monotonic
from typing import TypeVar

from app import errors
from app.broker import backoff

logger = logging.getLogger(__name__)

T = TypeVar("T")


class Patience:
    """Asks again after `errors.Unavailable`, until `stopping` is set."""

    def __init__(self, stopping: threading.Event) -> None:
        """Wait for nothing yet; `stopping` is set when nobody may wait any longer."""
        self._stopping = stopping

    def __call__(self, call: Callable[[], T], seconds: float = float("inf")) -> T:
        """Return what `call` returns, trying for so many seconds. Raises `errors.Interrupted`."""
        deadline = monotonic() + seconds
        for delay in backoff():
            try:
                return call()
            except errors.Unavailable as error:
                if monotonic() > deadline:
                    raise
                logger.warning("%s; again in %.1f s", error, delay)
                self.wait(delay)
        raise AssertionError

    def wait(self, seconds: float) -> None:
        """Wait. Raises `errors.Interrupted`."""
        if self._stopping.wait(seconds):
            raise errors.Interrupted

    def check(self) -> None:
        """Raise `errors.Interrupted` when it is time."""
        if self._stopping.is_set():
            raise errors.Interrupted
