"""Inspect uploaded models in child processes, such as `inspection_child`."""

import asyncio
import json
import signal
import sys
from contextlib import suppress
from typing import IO, Any

from app import errors
from app.models.manifest import OnnxManifest
from app.observability.child_output import logged_output
from app.protocol.wire_errors import error_from_wire
from app.runtime import ROOT, inspection_environment

SECONDS = 60.0


async def inspect(file: IO[bytes], spec: OnnxManifest, seconds: float = SECONDS) -> None:
    """Raise `errors.Invalid` unless the ONNX file can serve predictions as `spec` describes it.

    `file` needs a file descriptor, which the child inherits. The child may take `seconds`. Raises
    `errors.Unavailable` if no child can be started.
    """
    manifest = spec.model_dump_json().encode()
    await run_inspection(
        "app.inference.inspection_child", file, stdin=manifest, seconds=seconds, field="model"
    )


async def run_inspection(
    module: str,
    file: IO[bytes],
    *arguments: str,
    stdin: bytes = b"",
    seconds: float,
    field: str = "body",
) -> dict[str, Any]:
    """Run `python -m module FILE ARGUMENTS`; return the JSON object that it writes.

    Raises the `error` in it, `errors.Invalid` about the `field` for a child that dies or takes too
    long, and `errors.Unavailable` if none can be started.
    """
    number = file.fileno()
    try:
        with logged_output("a process to inspect a model") as output:
            child = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", module, f"/dev/fd/{number}", *arguments),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=output.stderr.fileno(),
                cwd=ROOT,
                env=inspection_environment(),
                pass_fds=(number,),
            )
    except OSError as error:
        raise errors.Unavailable(f"no process could be started: {error.strerror}") from error
    try:
        async with asyncio.timeout(seconds):
            verdict, _ = await child.communicate(stdin)
    except TimeoutError:
        raise errors.Invalid(
            field, f"loading and trying it took longer than {seconds:g} s"
        ) from None
    finally:
        with suppress(ProcessLookupError):
            child.kill()
        await child.wait()
    if child.returncode:
        raise errors.Invalid(field, _cause(child.returncode))
    found: dict[str, Any] = json.loads(verdict)
    if wire := found.get("error"):
        raise error_from_wire(wire)
    return found


def _cause(code: int) -> str:
    """Return the reason why a child died, from its exit code."""
    if code == -signal.SIGXCPU:
        return "loading and trying it took too much processor time"
    name = signal.Signals(-code).name if code < 0 else f"exit status {code}"
    return f"the process that loaded and tried it died ({name}); it may need too much memory"
