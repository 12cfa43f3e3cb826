"""Tell whether a child that was killed is to blame for it.

When memory runs out, the kernel kills the processes of fits first, whoever took the memory. A child
that held little of it is not to blame.
"""

from app import errors
from app.children.death import Death
from app.children.machine_memory import machine_memory

BLAMED_SHARE = 0.25  # of the machine's memory


def child_death(death: Death, most: int) -> errors.ChildKilled:
    """Return the error of a child that fitted; `most` is the RAM that it was seen to take."""
    detail = f"the process that fitted died ({death.cause})"
    if death.from_outside and most < machine_memory() * BLAMED_SHARE:
        return errors.ChildLost(f"{detail}; it held {most / 1e6:,.0f} MB and is not to blame")
    return errors.ChildKilled(detail)
