"""The sweeper: a thread that deletes what is not kept."""

import logging
import threading
from collections.abc import Callable, Mapping

from app import errors

log = logging.getLogger(__name__)


class Sweeper(threading.Thread):
    """Deletes periodically. Any number of processes may have one."""

    def __init__(self, sweeps: Mapping[str, Callable[[], int]], seconds: float) -> None:
        """Create the thread without starting it.

        Every `seconds`, it calls each of the `sweeps` until it returns 0. They return how much they
        have deleted of what their key names.
        """
        super().__init__(name="sweeper", daemon=True)
        self._sweeps = sweeps
        self._seconds = seconds
        self._stopping = threading.Event()

    def stop(self) -> None:
        """End the thread soon; `join` waits for it."""
        self._stopping.set()

    def run(self) -> None:
        """Run the thread's main loop."""
        while not self._stopping.wait(self._seconds):
            for what, sweep in self._sweeps.items():
                try:
                    self._repeat(what, sweep)
                except errors.Unavailable as error:
                    log.warning("%s are not swept now: %s", what, error)
                except Exception:  # a bug in one sweep must not end the others
                    log.exception("%s cannot be swept", what)

    def _repeat(self, what: str, sweep: Callable[[], int]) -> None:
        while not self._stopping.is_set() and (deleted := sweep()):
            log.info("deleted %d %s", deleted, what)
