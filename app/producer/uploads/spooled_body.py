"""Keep the body of a request in a file while it comes."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from tempfile import TemporaryFile
from typing import IO

import anyio.to_thread
from fastapi import Request

from app import errors


@asynccontextmanager
async def spooled(request: Request) -> AsyncIterator[IO[bytes]]:
    """Give a file with the body, which is never in memory as a whole.

    Raises `errors.Invalid` if there is none, and `errors.StorageFull` if the disk has no room.
    """
    size = 0
    with TemporaryFile(prefix="warren-") as file:
        try:
            async for chunk in request.stream():
                await anyio.to_thread.run_sync(file.write, chunk)
                size += len(chunk)
            await anyio.to_thread.run_sync(file.flush)
        except OSError as error:
            raise errors.StorageFull(f"the upload cannot be kept: {error.strerror}") from error
        if not size:
            raise errors.Invalid("body", "it is empty")
        file.seek(0)
        yield file
