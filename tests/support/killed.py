"""Children that inspect a file, killed from outside."""

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest import mock

import psutil

from tests.support.waiting import until

WAITING = "import signal; signal.pause()"


@contextmanager
def instead_of_python(folder: Path, code: str) -> Iterator[None]:
    """Have the children that start in the block run this code and nothing else."""
    path = folder / "python"
    path.write_text(f"#!{sys.executable}\n{code}\n")
    path.chmod(0o755)
    with mock.patch.object(sys, "executable", str(path)):
        yield


@contextmanager
def killed(module: str, folder: Path, number: int = signal.SIGKILL) -> Iterator[None]:
    """Let the child that runs this module wait until this kills it; the block has to start one."""
    pids: list[int] = []

    def kill() -> None:
        (pid,) = until(lambda: running(module), f"{module} runs")
        os.kill(pid, number)
        pids.append(pid)

    thread = threading.Thread(target=kill)
    with instead_of_python(folder, WAITING):
        thread.start()
        yield
        thread.join()
    assert pids


def running(module: str) -> list[int]:
    """Return the ids of the children of this process that run a module."""
    return [each.pid for each in psutil.Process().children() if runs(each, module)]


def runs(process: psutil.Process, module: str) -> bool:
    """Tell whether a process runs a module, as Python is told on its command line."""

    try:
        return module in process.cmdline()
    except psutil.Error:  # it has just ended
        return False
