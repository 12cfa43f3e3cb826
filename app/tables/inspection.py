"""Inspect a Parquet or Arrow file in a child process, `inspection_child`."""

import json
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import IO

from app import errors
from app.observability.child_output import logged_output
from app.protocol.wire_errors import error_from_wire
from app.runtime import ROOT, inspection_environment
from app.tables.dialect import Kind

SECONDS = 120.0  # of a file
AT_A_TIME = 2


@dataclass(frozen=True)
class Inspected:
    """What an inspection finds in a table."""

    columns: list[str]
    rows: int
    warnings: list[str]


Inspect = Callable[[IO[bytes], Kind, int], Inspected]


class TableInspector:
    """Inspects files, some at a time; others wait for their turn."""

    def __init__(self, seconds: float = SECONDS, at_a_time: int = AT_A_TIME) -> None:
        """Allow `seconds` for a file."""
        self._seconds = seconds
        self._places = threading.BoundedSemaphore(at_a_time)

    def __call__(self, file: IO[bytes], kind: Kind, limit: int) -> Inspected:
        """Read all of a file, whose cells may have `limit` bytes; return what is in it.

        `file` needs a file descriptor, which the child inherits. Raises `errors.Invalid` or
        `TooLarge` about the file, and `errors.Unavailable` if no child can be started.
        """
        with self._places:
            return self._inspect(file.fileno(), kind, limit)

    def _inspect(self, number: int, kind: Kind, limit: int) -> Inspected:
        try:
            with logged_output("a process to inspect a table") as output:
                done = subprocess.run(  # noqa: S603 # nosec B603 # nothing is a caller's
                    [
                        *(sys.executable, "-m", "app.tables.inspection_child"),
                        *(f"/dev/fd/{number}", kind, str(limit)),
                    ],
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    stderr=output.stderr.fileno(),
                    cwd=ROOT,
                    env=inspection_environment(),
                    pass_fds=(number,),
                    timeout=self._seconds,
                    check=False,
                )
        except OSError as error:
            raise errors.Unavailable(f"no process could be started: {error.strerror}") from error
        except subprocess.TimeoutExpired:
            raise errors.Invalid(
                "body", f"reading it took longer than {self._seconds:g} s"
            ) from None
        if done.returncode:
            raise errors.Invalid("body", _cause(done.returncode))
        found = json.loads(done.stdout)
        if wire := found.get("error"):
            raise error_from_wire(wire)
        return Inspected(**found)


def _cause(code: int) -> str:
    """Return the reason why a child died, which its exit code shows."""
    if code == -signal.SIGXCPU:
        return "reading it took too much processor time"
    name = signal.Signals(-code).name if code < 0 else f"exit status {code}"
    return f"the process that read it died ({name}); it may be damaged, or need too much memory"
