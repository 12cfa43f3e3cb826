"""The processor time of processes and their children: how strong an attack was, what it cost."""

import os

from tests.support.family import family, statuses

TICKS = os.sysconf("SC_CLK_TCK")


def processor_seconds(leader: int) -> float:
    """Return the seconds that a process and its descendants have computed.

    What a process that has ended computed counts once its parent has waited for it.
    """
    found = statuses()
    members = family(leader, found)
    return sum(sum(map(int, found[pid][11:15])) for pid in members) / TICKS
