"""Measure the memory of a fit's process."""

import resource
from pathlib import Path

from app import errors


def memory_of(pid: int) -> int:
    """Return the bytes of a process's data and stack; 0 on systems without `/proc`."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[5])
    except (OSError, IndexError):
        return 0
    return pages * resource.getpagesize()


def out_of_memory(memory: int) -> errors.FitOutOfMemory:
    """Return the error of a fit that needed more than its limit, `memory` bytes."""
    return errors.FitOutOfMemory(f"the fit needed more than {memory / 1e6:,.0f} MB of memory")
