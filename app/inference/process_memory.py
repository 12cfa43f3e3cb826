"""Measure and limit the memory of a process."""

import resource
from pathlib import Path


def memory_of(pid: int | str) -> int:
    """Return the bytes of a process's data and stack; 0 on systems without `/proc`."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[5])
    except (OSError, IndexError):
        return 0
    return pages * resource.getpagesize()


def private_memory(pid: int | str = "self") -> int:
    """Return the bytes that only one process holds; 0 on systems without `/proc`.

    Pages that a forked child still shares with its parent do not count.
    """
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("Private_"))


def limit_memory(most: int) -> None:
    """Let allocations fail above `most` bytes of data; a lower limit of the system stays."""
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    if hard == resource.RLIM_INFINITY or most < hard:
        resource.setrlimit(resource.RLIMIT_DATA, (most, hard))


def release_memory_limit() -> None:
    """Let allocations succeed again, up to the limit of the system."""
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    resource.setrlimit(resource.RLIMIT_DATA, (hard, hard))
