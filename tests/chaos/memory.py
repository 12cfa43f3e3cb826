"""Watch the memory of services, and end what takes too much, as the kernel does in a container."""

import os
import resource
import signal
import threading
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from time import time
from typing import Any

from tests.chaos.service import Service
from tests.support.family import family, statuses
from tests.system.support.memory import share

CONTAINER = 4_000_000_000  # bytes of a service with its children
PERIOD = 0.2  # to read all processes takes 15 ms of a core
PAGE = resource.getpagesize()


@dataclass
class Peak:
    """The most bytes that were resident: in the service's own process, in a child, in all.

    In all, a page that several processes share counts once.
    """

    own: int = 0
    child: int = 0
    together: int = 0


class MemoryWatch(threading.Thread):
    """Looks after services until `stop`.

    A forked child shares most pages with the server that forked it. The kernel counts such a page
    once for a container, and so does this.
    """

    def __init__(self, services: dict[str, Service], container: int = CONTAINER) -> None:
        """Each service may take `container` bytes with its children."""
        super().__init__(name="memory", daemon=True)
        self._services = services
        self._container = container
        self._stopping = threading.Event()
        self.peaks = {name: Peak() for name in services}
        #: What was ended at the limit, and whether that was the service's own process.
        self.kills: list[dict[str, Any]] = []

    def run(self) -> None:
        while not self._stopping.wait(PERIOD):
            found = statuses()
            for name, service in self._services.items():
                members = family(service.pid, found)
                self._look(name, service.pid, {pid: _resident(found[pid]) for pid in members})

    def stop(self) -> None:
        self._stopping.set()
        self.join()

    def _look(self, name: str, leader: int, taken: dict[int, int]) -> None:
        peak, together = self.peaks[name], 0
        if sum(taken.values()) > min(peak.together, self._container):
            # It is at most so much, and the exact sum takes longer to read.
            together = sum(map(share, taken))
        peak.own = max(peak.own, taken.get(leader, 0))
        children = [each for pid, each in taken.items() if pid != leader]
        peak.child = max(peak.child, *children, 0)
        peak.together = max(peak.together, together)
        if together > self._container:
            victim = max(taken, key=_badness)
            with suppress(ProcessLookupError):
                os.kill(victim, signal.SIGKILL)
            self.kills.append(
                {"at": time(), "service": name, "own": victim == leader, "bytes": taken[victim]}
            )


def _resident(fields: list[str]) -> int:
    """Return the resident bytes of a process by the fields of its status."""
    return int(fields[21]) * PAGE


def _badness(pid: int) -> int:
    """Return how gladly the kernel would end a process for want of memory."""
    try:
        return int(Path(f"/proc/{pid}/oom_score").read_text())
    except OSError:
        return -1
