"""Have a child process look at a file that may be hostile, once, and tell what it found.

The child bounds its own memory and processor time (`runtime.limit_resources`). It writes a JSON
object to stdout: what it found, or `{"error": ...}` (`wire_errors.found_or_error`).
"""

import asyncio
import json
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import IO, Any

from anyio import CancelScope

from app import errors
from app.children.death import death_of
from app.concurrency import run_in_pool
from app.observability.child_output import logged_output
from app.protocol.wire_errors import error_from_wire
from app.runtime import ROOT, inspection_environment

_Child = subprocess.Popen[bytes]


@dataclass(frozen=True)
class Inspection:
    """One look of a child, which runs `python -m module ARGUMENTS`.

    `purpose` completes "a process to ...", such as "inspect a table", and `work` the sentence
    "... took longer than 60 s", such as "reading it". `refuse` makes the error about the file from
    a detail. With a `file` its path, `/dev/fd/NUMBER`, is the first argument; the child inherits
    the descriptor. `stdin` is what the child can read there. It may take `seconds`.
    """

    module: str
    arguments: tuple[str, ...]
    purpose: str
    work: str
    refuse: Callable[[str], errors.WarrenError]
    seconds: float
    file: IO[bytes] | None = None
    stdin: bytes = b""

    def run(self) -> dict[str, Any]:
        """Return what the child found; this blocks.

        Raises the error that it tells; that of `refuse` if its own limits or a fault of its own
        ended it; `errors.Unavailable` if none can be started, or it was killed from outside.
        """
        return self._found(self._start())

    async def run_async(self) -> dict[str, Any]:
        """Return what the child found, as `run` does; a caller that is cancelled ends the child."""
        child = self._start()
        looking = asyncio.ensure_future(run_in_pool(None, partial(self._found, child)))
        try:
            return await asyncio.shield(looking)
        except asyncio.CancelledError:
            child.kill()
            with CancelScope(shield=True), suppress(errors.WarrenError):
                await looking
            raise

    def _start(self) -> _Child:
        files = (self.file.fileno(),) if self.file else ()
        paths = [f"/dev/fd/{number}" for number in files]
        try:
            with logged_output(f"a process to {self.purpose}") as output:
                return subprocess.Popen(  # noqa: S603 # nosec B603 # no caller's command
                    [sys.executable, "-m", self.module, *paths, *self.arguments],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=output.stderr.fileno(),
                    cwd=ROOT,
                    env=inspection_environment(),
                    pass_fds=files,
                )
        except OSError as error:
            raise errors.Unavailable(f"no process could be started: {error.strerror}") from error

    def _found(self, child: _Child) -> dict[str, Any]:
        with child:  # which closes the pipes, and waits for the end
            try:
                said, _ = child.communicate(self.stdin, self.seconds)
            except subprocess.TimeoutExpired:
                raise self.refuse(f"{self.work} took longer than {self.seconds:g} s") from None
            finally:
                child.kill()
        if child.returncode:
            raise self._death(child.returncode)
        found: dict[str, Any] = json.loads(said)
        if wire := found.get("error"):
            raise error_from_wire(wire)
        return found

    def _death(self, code: int) -> errors.WarrenError:
        """Return the error of a child that ended with this code."""
        death = death_of(code)
        if death.from_outside:
            return errors.Unavailable(
                f"the process to {self.purpose} was {death.cause} from outside, as where the "
                "memory of the machine ends; the file is not at fault, so try again later"
            )
        if death.out_of_time:
            return self.refuse(f"{self.work} took too much processor time")
        return self.refuse(
            f"the process to {self.purpose} died ({death.cause}); the file may be damaged, or need "
            "too much memory"
        )
