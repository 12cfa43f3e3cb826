"""The most memory that a process and its children have had, read from the system."""

import threading
from contextlib import suppress
from pathlib import Path
from typing import Self

from tests.system.support.processes import Process

PERIOD = 0.02


class Peaks:
    """A context manager that looks at the children of a process all the time.

    `own` and `child` are bytes: of the process itself, and of the largest of its children.
    `together` are those of all at a time, in which a page that processes share counts once.
    """

    def __init__(self, process: Process) -> None:
        self._process = process
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self.own = self.child = self.together = 0

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._stopping.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._stopping.wait(PERIOD):
            members = self._process.family()
            self.together = max(self.together, sum(map(share, members)))
            for pid in members:
                if pid == self._process.pid:
                    self.own = max(self.own, peak(pid))
                else:
                    self.child = max(self.child, peak(pid))


def share(pid: int) -> int:
    """Return the memory of a process, of pages that N processes share an Nth; 0 if it has ended."""
    with suppress(OSError):
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
        return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:"))
    return 0


def peak(pid: int) -> int:
    """Return the most memory that a process ever had, 0 if it has ended."""
    with suppress(OSError, ValueError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    return 0
