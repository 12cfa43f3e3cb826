"""Why a child process died, by its exit code."""

import signal
from typing import NamedTuple

# Its own limits and its own faults end a child by other signals.
_FROM_OUTSIDE = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


class Death(NamedTuple):
    """The end of a child.

    `cause` is such as "killed by SIGKILL". `from_outside` tells that the system or an operator
    ended it, as where the memory of the machine ends; what it worked on is not at fault.
    `out_of_time` tells that it took more processor time than it may.
    """

    cause: str
    from_outside: bool = False
    out_of_time: bool = False


def death_of(code: int) -> Death:
    """Return the death of a child of which `multiprocessing` or `subprocess` tell this code.

    Ask only about a child that its parent did not kill.
    """
    if code >= 0:
        return Death(f"exit status {code}")
    cause = f"killed by {signal.Signals(-code).name}"
    return Death(cause, -code in _FROM_OUTSIDE, -code == signal.SIGXCPU)
