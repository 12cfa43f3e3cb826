"""Inspect a Parquet or Arrow file in a child process, `inspection_child`."""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import IO

from app import errors
from app.children.inspection import Inspection
from app.children.limits import TABLE_INSPECTIONS
from app.tables.dialect import Kind

SECONDS = 120.0  # of a file


@dataclass(frozen=True)
class Inspected:
    """What an inspection finds in a table."""

    columns: list[str]
    rows: int
    warnings: list[str]


Inspect = Callable[[IO[bytes], Kind, int], Inspected]


class TableInspector:
    """Inspects files, some at a time; others wait for their turn."""

    def __init__(self, seconds: float = SECONDS, at_a_time: int = TABLE_INSPECTIONS) -> None:
        """Allow `seconds` for a file."""
        self._seconds = seconds
        self._places = threading.BoundedSemaphore(at_a_time)

    def __call__(self, file: IO[bytes], kind: Kind, limit: int) -> Inspected:
        """Read all of a file, whose cells may have `limit` bytes; return what is in it.

        `file` needs a file descriptor. Raises `errors.Invalid` or `TooLarge` about the file, and
        `errors.Unavailable` as `Inspection.run` does.
        """
        inspection = Inspection(
            module="app.tables.inspection_child",
            arguments=(kind, str(limit)),
            purpose="inspect a table",
            work="reading it",
            refuse=lambda detail: errors.Invalid("body", detail),
            seconds=self._seconds,
            file=file,
        )
        with self._places:
            return Inspected(**inspection.run())
