"""End runs of onnxruntime at a deadline, because a graph may loop forever on some input."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from time import monotonic, sleep
from typing import Protocol, TypeVar

from app import errors

POLL_SECONDS = 0.5


class Run(Protocol):
    """The options of a run, which ends soon after `terminate` is set."""

    terminate: bool


RunT = TypeVar("RunT", bound=Run)


class Watchdog:
    """A thread that ends late runs. All share it, because a thread costs more than most runs."""

    def __init__(self, poll_seconds: float = POLL_SECONDS) -> None:
        """Start the thread; during runs, it checks their deadlines every `poll_seconds`."""
        self._poll_seconds = poll_seconds
        self._ends: dict[Run, float] = {}
        self._begun = threading.Event()
        threading.Thread(target=self._work, name="watchdog", daemon=True).start()

    def __len__(self) -> int:
        """Return the number of runs under way."""
        return len(self._ends)

    @contextmanager
    def deadline(self, run: RunT, seconds: float) -> Iterator[RunT]:
        """Set `terminate` of a run that takes longer than `seconds`.

        Raises `errors.DeadlineExceeded` in place of the error by which the run then ends.
        """
        self._ends[run] = monotonic() + seconds
        self._begun.set()
        try:
            yield run
        except Exception:
            if run.terminate:
                raise errors.DeadlineExceeded(f"the model took longer than {seconds:g} s") from None
            raise
        finally:
            del self._ends[run]

    def _work(self) -> None:
        while True:
            self._begun.wait()
            sleep(self._poll_seconds)
            for run, end in list(self._ends.items()):
                if monotonic() > end:
                    run.terminate = True
            self._begun.clear()
            if self._ends:
                self._begun.set()


@cache
def watchdog() -> Watchdog:
    """Return the watchdog of this process; the first call starts it, after any fork."""
    return Watchdog()
