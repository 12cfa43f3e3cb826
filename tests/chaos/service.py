"""A process of ours, and a supervisor that starts it again whenever it ends."""

import subprocess
import threading
from dataclasses import dataclass, field
from pathlib import Path
from signal import SIGCONT, SIGSTOP
from time import time

from devstack.program import inherited
from devstack.subprocesses import end_group
from tests.support.family import statuses

ROOT = Path(__file__).parents[2]


@dataclass
class Service:
    """A command that is to run all the time; its output is appended to the log."""

    name: str
    command: list[str]
    environment: dict[str, str]
    log: Path
    #: (time, process id, exit status) of each run that ended; negative is a signal's number.
    ends: list[tuple[float, int, int]] = field(default_factory=list)
    _freezes: int = 0

    def start(self) -> None:
        with self.log.open("ab") as output:
            self._process = subprocess.Popen(
                self.command,
                cwd=ROOT,
                env=inherited() | self.environment | {"PYTHONUNBUFFERED": "1"},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        return self._process.pid

    def send(self, number: int) -> int:
        """Send a signal to the process that runs now; return its id."""
        self._process.send_signal(number)  # does nothing when it is known to have ended
        return self.pid

    def freeze(self) -> int:
        """Stop its time until as many `thaw`s have been called; return its id."""
        self._freezes += 1
        return self.send(SIGSTOP)

    def thaw(self) -> None:
        self._freezes -= 1
        if self._freezes <= 0:
            self.send(SIGCONT)

    def revive(self) -> None:
        """Start it again if it has ended. What it left behind goes the way a container's would."""
        status = self._process.poll()
        if status is not None:
            self.ends.append((time(), self.pid, status))
            end_group(self._process)
            self.start()

    def fits(self) -> list[int]:
        """Return the ids of the processes that may be fitting: children of the fork server."""
        parents = {pid: int(fields[1]) for pid, fields in statuses().items()}
        ours = [child for child, parent in parents.items() if parent == self.pid]
        return [child for child, parent in parents.items() if parent in ours]

    def end(self) -> None:
        end_group(self._process)


class Supervisor(threading.Thread):
    """Looks after services until `stop`."""

    def __init__(self, services: list[Service]) -> None:
        super().__init__(name="supervisor", daemon=True)
        self._services = services
        self._stopping = threading.Event()

    def run(self) -> None:
        while not self._stopping.wait(0.05):
            for service in self._services:
                service.revive()

    def stop(self) -> None:
        self._stopping.set()
        self.join()
