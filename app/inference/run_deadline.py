"""End what takes too long: a graph may have a loop that does not end with some input."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from time import monotonic, sleep
from typing import Protocol, TypeVar

from app import errors

BEAT_SECONDS = 0.5


class Run(Protocol):
    """Something that goes on until it ends, or until it is told to."""

    terminate: bool


RunT = TypeVar("RunT", bound=Run)


class _Watchdog:
    """A thread that knows the end of each run. A thread for each would cost more than most runs."""

    def __init__(self) -> None:
        """Start it."""
        self.ends: dict[Run, float] = {}
        self.begun = threading.Event()
        threading.Thread(target=self._work, name="watch", daemon=True).start()

    def _work(self) -> None:
        while True:
            self.begun.wait()
            sleep(BEAT_SECONDS)
            for run, end in list(self.ends.items()):
                if monotonic() > end:
                    run.terminate = True
            self.begun.clear()
            if self.ends:
                self.begun.set()


@cache
def _watchdog() -> _Watchdog:
    """Return the one of this process; not before it is needed, as a process may yet be forked."""
    return _Watchdog()


@contextmanager
def run_deadline(run: RunT, seconds: float) -> Iterator[RunT]:
    """Have a run end after `seconds`. Raises `errors.DeadlineExceeded` if that made it fail."""
    watch = _watchdog()
    watch.ends[run] = monotonic() + seconds
    watch.begun.set()
    try:
        yield run
    except Exception:
        if run.terminate:
            raise errors.DeadlineExceeded(f"the model took longer than {seconds:g} s") from None
        raise
    finally:
        del watch.ends[run]
