"""The processes that a process has started, and those that these have started; reads /proc."""

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

_PARENT, _GROUP = 1, 2


def statuses() -> dict[int, list[str]]:
    """Return the fields behind the name in `/proc/PID/stat` of each living process; see proc(5)."""
    found = {}
    for status in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):  # it has ended meanwhile
            # "pid (name) state parent group ...", and the name may hold anything
            fields = status.read_text().rpartition(")")[2].split()
            if fields[0] != "Z":
                found[int(status.parent.name)] = fields
    return found


def family(leader: int, among: Mapping[int, list[str]]) -> set[int]:
    """Return the processes of the group of `leader`, and their descendants in any group.

    Children that compute lead sessions of their own; see `app.runtime.lower_priority`.
    """
    members = {pid for pid, fields in among.items() if int(fields[_GROUP]) == leader}
    if leader in among:
        members.add(leader)
    while more := {p for p, fields in among.items() if int(fields[_PARENT]) in members} - members:
        members |= more
    return members
