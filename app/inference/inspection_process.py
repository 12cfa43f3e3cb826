"""Inspect an uploaded model in a child process, `inspection_child`."""

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
from app.protocol.wire_errors import error_from_wire

SECONDS = 60.0

_ROOT = Path(__file__).parents[2]
# Python and its libraries need these. The child gets nothing else, above all no passwords.
_ENVIRONMENT = ("PATH", "PYTHONPATH", "LD_LIBRARY_PATH")


async def inspect(file: IO[bytes], spec: OnnxManifest, seconds: float = SECONDS) -> None:
    """Raise `errors.Invalid` unless the ONNX file can serve predictions as `spec` describes it.

    `file` needs a file descriptor, which the child inherits. The child may take `seconds`. Raises
    `errors.Unavailable` if no child can be started.
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
        async with asyncio.timeout(seconds):
            verdict, _ = await child.communicate(spec.model_dump_json().encode())
    except TimeoutError:
        raise errors.Invalid(
            "model", f"loading and trying it took longer than {seconds:g} s"
        ) from None
    finally:
        with suppress(ProcessLookupError):
            child.kill()
        await child.wait()
    if child.returncode:
        raise errors.Invalid("model", _cause(child.returncode))
    if wire := json.loads(verdict).get("error"):
        raise error_from_wire(wire)


def _cause(code: int) -> str:
    """Return the reason why a child died, from its exit code."""
    if code == -signal.SIGXCPU:
        return "loading and trying it took too much processor time"
    name = signal.Signals(-code).name if code < 0 else f"exit status {code}"
    return f"the process that loaded and tried it died ({name}); it may need too much memory"
