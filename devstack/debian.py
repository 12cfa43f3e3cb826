"""The mirror that a Debian takes its packages from, and commands that are run into a log."""

import os
import subprocess
from pathlib import Path

from devstack.program import ProgramError, tail


def quietly(log: Path, *command: str | Path) -> None:
    """Run a command into the log. Raises `ProgramError`, with the end of the log."""
    with log.open("a") as file:
        print("$", *command, file=file, flush=True)
        ended = subprocess.run(
            command,
            env=os.environ | {"DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C.UTF-8"},
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
        )
    if ended.returncode:
        raise ProgramError(f"{' '.join(map(str, command))}\n{tail(log)}")


def output(*command: str | Path) -> list[str]:
    """Run a command and return the lines it prints."""
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()


def mirror(log: Path) -> str:
    """Find the mirror this system takes its packages from. Raises `ProgramError`."""
    ask = ["apt-get", "indextargets", "--format", "$(REPO_URI)"]
    which = ["Created-By: Packages", "Origin: Debian", "Label: Debian"]
    found = output(*ask, *which)
    if not found:  # apt knows whose the sources are once it has read them
        quietly(log, "apt-get", "update")
        found = output(*ask, *which)
    if not found:
        raise ProgramError("no apt source of this system is a mirror of Debian")
    return found[0]
