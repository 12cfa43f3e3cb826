"""Measure the memory that this process and its children can have at most."""

import os
import resource
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path, PurePosixPath

# Of each version of cgroups: what mounts it, and the file with the limit; see cgroups(7).
_VERSIONS = {"": ("", "memory.max"), "memory": ("memory", "memory.limit_in_bytes")}


def machine_memory(
    cgroups: Path = Path("/sys/fs/cgroup"), membership: Path = Path("/proc/self/cgroup")
) -> int:
    """Return the bytes of RAM of this machine, or fewer if a cgroup of this process has a limit.

    `cgroups` is where they are mounted, and `membership` the file that names those of the process.
    """
    machine = os.sysconf("SC_PHYS_PAGES") * resource.getpagesize()
    return min([machine, *_limits(cgroups, membership)])


def _limits(cgroups: Path, membership: Path) -> Iterator[int]:
    """Yield the limits of the cgroups of this process, and of those that these are in."""
    try:
        lines = membership.read_text().splitlines()
    except OSError:  # no Linux, or no /proc
        return
    for line in lines:  # "number:controllers:/path"
        _, controllers, path = line.split(":", 2)
        if controllers not in _VERSIONS:
            continue
        folder, file = _VERSIONS[controllers]
        # In a container the mount may begin at its own cgroup, whatever the path says.
        own = PurePosixPath(path.lstrip("/"))
        for group in (own, *own.parents):
            with suppress(OSError, ValueError):  # no such cgroup, or one without a limit ("max")
                yield int((cgroups / folder / group / file).read_text())
