"""Have an uploaded model looked at by a child process, `app.inspection`."""

import asyncio
import json
import os
import signal
import sys
from contextlib import suppress
from pathlib import Path
from typing import IO

from app import errors
from app.models.manifest import OnnxManifest

SECONDS = 60.0

_ROOT = Path(__file__).parents[2]
# What Python and its libraries need to be found; the child is not told where anything else is.
_ENVIRONMENT = ("PATH", "PYTHONPATH", "LD_LIBRARY_PATH")


async def inspect(file: IO[bytes], spec: OnnxManifest) -> None:
    """Raise `errors.Invalid` that says why a file cannot serve as `spec` says.

    `file` has to be a real one; the child opens it again.
    """
    number = file.fileno()
    try:
        child = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "app.inference.inspection_child", f"/dev/fd/{number}"),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            cwd=_ROOT,
            env={name: os.environ[name] for name in _ENVIRONMENT if name in os.environ},
            pass_fds=(number,),
        )
    except OSError as error:
        raise errors.Unavailable(f"no process could be started: {error.strerror}") from error
    try:
        async with asyncio.timeout(SECONDS):
            said, _ = await child.communicate(spec.model_dump_json().encode())
    except TimeoutError:
        raise errors.Invalid(
            "model", f"to load and to try it took longer than {SECONDS:g} s"
        ) from None
    finally:
        with suppress(ProcessLookupError):
            child.kill()
        await child.wait()
    if child.returncode:
        raise errors.Invalid("model", _cause(child.returncode))
    if refused := json.loads(said).get("error"):
        raise errors.from_wire(refused)


def _cause(code: int) -> str:
    """Return why a child has ended that should not have."""
    if code == -signal.SIGXCPU:
        return f"to load and to try it took longer than {SECONDS:g} s"
    name = signal.Signals(-code).name if code < 0 else f"status {code}"
    return f"the process that loaded and tried it died ({name}); it may need too much memory"
