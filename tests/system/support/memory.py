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
    """

    def __init__(self, process: Process) -> None:
        self._process = process
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self.own = self.child = 0

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._stopping.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._stopping.wait(PERIOD):
            for pid in self._process.family():
                if pid == self._process.pid:
                    self.own = max(self.own, peak(pid))
                else:
                    self.child = max(self.child, peak(pid))


def peak(pid: int) -> int:
    """Return the most memory that a process ever had, 0 if it has ended."""
    with suppress(OSError, ValueError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    return 0
