"""Describe versions of data sets in child processes, once each."""

import json
import logging
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from tempfile import NamedTemporaryFile
from typing import Any

from app import errors
from app.children.inspection import Inspection
from app.children.limits import DESCRIPTIONS
from app.datasets import queries
from app.datasets.description import FORMAT, Description
from app.datasets.version import DatasetVersion
from app.datasets.versions import DatasetVersions
from app.protocol.wire_errors import error_from_wire

SECONDS = 600.0  # of a child

log = logging.getLogger(__name__)

# Takes the path of a file, its format as JSON or None, and the id of its data set.
Describe = Callable[[str, dict[str, Any] | None, str], dict[str, Any]]


def describe_in_child(
    path: str, table_format: dict[str, Any] | None, dataset_id: str, seconds: float = SECONDS
) -> dict[str, Any]:
    """Return the JSON of `Description` about a file. The child may take `seconds`.

    Raises `errors.BadData`, and `errors.Unavailable` as `Inspection.run` does.
    """
    too_large = f"data set {dataset_id} is too large to be described; a training may still read it"
    found = Inspection(
        module="app.datasets.description_child",
        arguments=(path, json.dumps(table_format), dataset_id),
        purpose="describe a data set",
        work="describing it",
        refuse=lambda _: errors.BadData("dataset_id", too_large),
        seconds=seconds,
    ).run()
    description: dict[str, Any] = found["description"]
    return description


class Descriptions:
    """The descriptions of versions. They are kept in the database, because no version changes."""

    def __init__(self, versions: DatasetVersions, describe: Describe = describe_in_child) -> None:
        """Describe versions by `describe`, some at a time; others wait for their turn."""
        self._versions = versions
        self._describe = describe
        self._threads = ThreadPoolExecutor(DESCRIPTIONS, "describe")
        self._lock = threading.Lock()
        self._under_way: dict[str, Future[Description]] = {}

    def get(self, version: DatasetVersion) -> Future[Description]:
        """Return the future of a description; callers of the same version share it.

        It has `errors.BadData` if the file cannot be described, or `errors.Unavailable` if it
        cannot be read now.
        """
        key = version.file_key
        with self._lock:
            if found := self._under_way.get(key):
                return found
            future = self._under_way[key] = self._threads.submit(self._read, version)
        future.add_done_callback(lambda _: self._forget(key))
        return future

    def close(self) -> None:
        """Begin no further description."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _forget(self, key: str) -> None:
        with self._lock:
            self._under_way.pop(key, None)

    def _read(self, version: DatasetVersion) -> Description:
        engine = self._versions.engine
        kept = queries.read_profile(engine, version.dataset_id, version.version)
        if kept and kept["format"] == FORMAT:
            if wire := kept.get("error"):
                raise error_from_wire(wire)
            return Description.model_validate(kept["description"])
        keep: dict[str, Any] = {"format": FORMAT}
        try:
            with NamedTemporaryFile(prefix="warren-") as copy:
                self._versions.download(version, copy.name)
                found = self._describe(copy.name, version.table_format, version.dataset_id)
        except OSError as error:  # as of a full disk
            raise errors.Unavailable(f"the file cannot be read: {error.strerror}") from error
        except errors.BadData as error:  # kept, too, so that the file is not read again
            keep["error"] = error.to_wire()
            queries.write_profile(engine, version.dataset_id, version.version, keep)
            raise
        description = Description.model_validate(found)
        keep["description"] = found
        queries.write_profile(engine, version.dataset_id, version.version, keep)
        return description
