"""Inspect uploaded models in child processes, `inspection_child`."""

from typing import IO

from app import errors
from app.children.inspection import Inspection
from app.models.manifest import OnnxManifest

SECONDS = 60.0


async def inspect(file: IO[bytes], spec: OnnxManifest, seconds: float = SECONDS) -> None:
    """Raise `errors.Invalid` unless the ONNX file can serve predictions as `spec` describes it.

    `file` needs a file descriptor. The child may take `seconds`. Raises `errors.Unavailable` as
    `Inspection.run` does.
    """
    await Inspection(
        module="app.inference.inspection_child",
        arguments=(),
        purpose="inspect a model",
        work="loading and trying it",
        refuse=lambda detail: errors.Invalid("model", detail),
        seconds=seconds,
        file=file,
        stdin=spec.model_dump_json().encode(),
    ).run_async()
