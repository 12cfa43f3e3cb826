"""Take the ONNX file out of an MLflow model folder that a client has sent as a zip archive."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from tempfile import TemporaryFile
from typing import IO, NamedTuple

import anyio.to_thread

from app import errors
from app.children.inspection import Inspection
from app.mlflow.archive import copy_member, open_archive
from app.models.manifest import OnnxManifest

SECONDS = 60.0


class Imported(NamedTuple):
    """The name of the ONNX file in an archive, and the manifest that describes it."""

    member: str
    manifest: OnnxManifest


async def read_folder(file: IO[bytes], limit: int) -> Imported:
    """Return what an archive holds, which a child process reads.

    Raises `errors.Invalid` or `TooLarge` about it, and `errors.Unavailable` as `Inspection.run`
    does.
    """
    found = await Inspection(
        module="app.mlflow.import_child",
        arguments=(str(limit),),
        purpose="read a model folder",
        work="reading it",
        refuse=lambda detail: errors.Invalid("body", detail),
        seconds=SECONDS,
        file=file,
    ).run_async()
    return Imported(found["member"], OnnxManifest.model_validate(found["manifest"]))


@asynccontextmanager
async def extracted(file: IO[bytes], member: str, limit: int) -> AsyncIterator[IO[bytes]]:
    """Give a copy of a file of an archive, which has `limit` bytes at most.

    Raises as `copy_member` does.
    """

    def copy() -> None:
        with open_archive(file) as archive:
            copy_member(archive, member, target, limit)
        target.flush()
        target.seek(0)

    with TemporaryFile(prefix="warren-") as target:
        await anyio.to_thread.run_sync(copy)
        yield target
