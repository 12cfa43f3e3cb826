"""A program that runs beside us, whoever starts it: supervisord in the stack, Python in a test."""

import os
import shutil
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

# The only variables of our own environment that a program gets. coverage.py sets the last one.
INHERITED = ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR", "COVERAGE_PROCESS_CONFIG")

# The folder of the stack that a program belongs to, in the environment of all that it starts.
MARK = "WARREN_RUN"


class ProgramError(Exception):
    """A program is missing, has ended, or is not ready in time."""


@dataclass(frozen=True, kw_only=True)
class Program:
    """A command, the folder it runs in, and what it finds in its environment."""

    name: str
    command: list[str]
    folder: Path
    environment: dict[str, str] = field(default_factory=dict)
    #: How long it may take to end after SIGTERM before it is killed, in seconds.
    stop_seconds: int = 10


def inherited() -> dict[str, str]:
    """Take the part of our own environment that every program gets."""
    return {name: os.environ[name] for name in INHERITED if name in os.environ}


def find(name: str, folders: Iterable[str] = ()) -> str:
    """Find an installed program, in these folders first. Raises `ProgramError`."""
    path = os.pathsep.join([*folders, os.environ.get("PATH", os.defpath)])
    found = shutil.which(name, path=path)
    if found is None:
        raise ProgramError(f"{name} is not installed: `make up` installs what it can")
    return found


def tail(log: Path, lines: int = 20) -> str:
    """Read the end of a log."""
    text = log.read_text(errors="replace") if log.exists() else ""
    return "\n".join(text.splitlines()[-lines:])
