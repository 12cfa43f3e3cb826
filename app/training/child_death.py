"""Tell whether a child that was killed is to blame for it.

When memory runs out, the kernel kills the processes of fits first, whoever took the memory. A child
that held little of it is not to blame.
"""

import os
import resource
from pathlib import Path

from app import errors

BLAMED_SHARE = 0.25  # of the machine's memory
_KILLED = "killed by SIGKILL"
_CGROUP_LIMIT = Path("/sys/fs/cgroup/memory.max")  # cgroup v2, of the container


def resident_memory(pid: int) -> int:
    """Return the bytes of RAM that a process takes; 0 if it has ended, or without `/proc`."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except (OSError, IndexError):
        return 0
    return pages * resource.getpagesize()


def machine_memory() -> int:
    """Return the bytes of RAM of this machine, or of its container."""
    machine = os.sysconf("SC_PHYS_PAGES") * resource.getpagesize()
    try:
        return min(machine, int(_CGROUP_LIMIT.read_text()))
    except (OSError, ValueError):  # no container, or one without a limit ("max")
        return machine


def child_death(cause: str, most: int) -> errors.ChildKilled:
    """Return the error of a child that fitted; `most` is the RAM that it was seen to take."""
    detail = f"the process that fitted died ({cause})"
    if cause == _KILLED and most < machine_memory() * BLAMED_SHARE:
        return errors.ChildLost(f"{detail}; it held {most / 1e6:,.0f} MB and is not to blame")
    return errors.ChildKilled(detail)
