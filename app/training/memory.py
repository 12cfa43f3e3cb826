"""The memory of a fit's process."""

import resource
from pathlib import Path

from app import errors


def memory_of(pid: int) -> int:
    """Return the bytes that a process has taken for itself; 0 where the system does not say."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[5])
    except (OSError, IndexError):
        return 0
    return pages * resource.getpagesize()


def out_of_memory(memory: int) -> errors.FitOutOfMemory:
    """Return the error of a fit that needed more than it may have."""
    return errors.FitOutOfMemory(f"the fit needed more than {memory / 1e6:,.0f} MB of memory")
