"""Measure and limit the memory of a process."""

import os
import resource
from contextlib import suppress
from pathlib import Path


def memory_of(pid: int | str) -> int:
    """Return the bytes of a process's data and stack; 0 on systems without `/proc`."""
    try:
        return _data(Path(f"/proc/{pid}/statm").read_bytes())
    except (OSError, IndexError):
        return 0


def resident_memory(pid: int) -> int:
    """Return the bytes of RAM that a process takes; 0 if it has ended, or without `/proc`."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except (OSError, IndexError):
        return 0
    return pages * resource.getpagesize()


def private_memory(pid: int) -> int:
    """Return the bytes that only one process holds; 0 on systems without `/proc`.

    Pages that a forked child still shares with its parent do not count.
    """
    try:
        return _private(Path(f"/proc/{pid}/smaps_rollup").read_bytes())
    except OSError:
        return 0


class OwnMemory:
    """Measures this process; also once it may open no more files. Not to be used after a fork."""

    def __init__(self) -> None:
        """Open what the system tells of this process; all is 0 on systems without `/proc`."""
        self._statm = self._rollup = -1
        with suppress(OSError):
            self._statm = os.open("/proc/self/statm", os.O_RDONLY | os.O_CLOEXEC)
            self._rollup = os.open("/proc/self/smaps_rollup", os.O_RDONLY | os.O_CLOEXEC)

    @property
    def data(self) -> int:
        """The bytes of its data and stack, as `memory_of` has them."""
        return _data(os.pread(self._statm, 256, 0)) if self._statm >= 0 else 0

    @property
    def private(self) -> int:
        """The bytes that only it holds, as `private_memory` has them."""
        return _private(os.pread(self._rollup, 4096, 0)) if self._rollup >= 0 else 0


def _data(statm: bytes) -> int:
    return int(statm.split()[5]) * resource.getpagesize()


def _private(rollup: bytes) -> int:
    lines = rollup.splitlines()
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith(b"Private_"))


def limit_memory(most: int) -> None:
    """Let allocations fail above `most` bytes of data; a lower limit of the system stays."""
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    if hard == resource.RLIM_INFINITY or most < hard:
        resource.setrlimit(resource.RLIMIT_DATA, (most, hard))


def release_memory_limit() -> None:
    """Let allocations succeed again, up to the limit of the system."""
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    resource.setrlimit(resource.RLIMIT_DATA, (hard, hard))
