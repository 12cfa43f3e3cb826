"""The processor time of processes, which says more than a rate where a ratio is near 1.

A rate changes with all that runs on the machine; what a request costs a process hardly does.
"""

import time
from collections.abc import Sequence


def used(pids: Sequence[int]) -> float:
    """Return the seconds of a core that processes have used so far, with all their threads."""
    # The clock of another process, as clock_getcpuclockid(3) of Linux names it.
    return sum(time.clock_gettime(~pid << 3 | 2) for pid in pids)
