"""Versions of data sets: store them, and pin the one that a training learns from.

The current object `{id}.csv` has the present content of a data set; another S3 client may replace
it. A version is one content, present or past, in a file that never changes. Each use of a data set
pins a version and reads that file.
"""

import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Self

import sqlalchemy as sa

from app import errors
from app.auth.actor import SYSTEM, Actor
from app.datasets import queries
from app.datasets.loose_files import add_loose_file
from app.datasets.version import DatasetVersion, Facts, version_of
from app.protocol.wording import cut, quoted
from app.storage.client import S3Client
from app.storage.datasets import DatasetStore
from app.storage.hashed_body import Readable
from app.storage.version_files import StoredVersion, VersionFiles
from app.tables.dialect import TableFormat

COPY_ATTEMPTS = 3  # if the current object is replaced while it is copied


class DatasetVersions:
    """The versions of the data sets; any thread may call it.

    Methods raise `errors.StorageUnavailable`, `StorageFull` and `DatabaseUnavailable`.
    """

    def __init__(self, engine: sa.Engine, store: DatasetStore, files: VersionFiles) -> None:
        """Keep rows in the database of `engine`, and files beside the data sets of `store`."""
        self.engine = engine
        self.store = store
        self.files = files
        self._copying = threading.Lock()

    @classmethod
    def of(cls, engine: sa.Engine, client: S3Client, prefix: str) -> Self:
        """Return the versions of the data sets below a prefix."""
        return cls(engine, DatasetStore(client, prefix), VersionFiles(client, prefix))

    def put(
        self,
        dataset_id: str,
        body: Readable,
        facts: Callable[[], Facts],
        check: Callable[[], DatasetVersion | None] = lambda: None,
        by: Actor = SYSTEM,
    ) -> tuple[DatasetVersion, bool]:
        """Store a new version and make it the current one; return it, and whether it is the first.

        `facts` is called when the body has been read to its end. `check` is called last; it returns
        the version that has to be replaced, or None for any. If one of them or the reading raises,
        the data set stays as it was. The audit log names the actor `by`. Raises `errors.Conflict`
        if another request is replacing that version.
        """
        key = self._expect_file(dataset_id)
        try:
            stored = self.files.put(key, body)
            known = facts()
            replaced = check()
            exists = self.store.find(dataset_id) is not None
            if replaced and not queries.take_current(self.engine, replaced):
                raise errors.Conflict(
                    "dataset_id", f"another request is replacing data set {dataset_id}"
                )
            version = version_of(stored.sha256, known.told)
            queries.begin_put(self.engine, dataset_id, version, by, replaces=exists)
        except BaseException:
            with suppress(errors.Unavailable):  # the sweeper deletes it later
                self.files.delete(key)
            raise
        self._save(dataset_id, stored, known)
        etag = self.store.copy_from(dataset_id, stored)
        queries.mark_current(self.engine, dataset_id, version, etag)
        return self.get(dataset_id, version), not exists

    def pin(
        self, dataset_id: str, version: str | None = None, *, field: str = "dataset_version"
    ) -> DatasetVersion:
        """Return a version of a data set, the current one by default, and keep its file for a job.

        The file stays for a minute, and while a job or a model names the version. A current object
        that was not uploaded here is copied first. Raises `errors.NotFound`, which names the
        `field` for a version that is not there.
        """
        if version is not None:
            if known := queries.pin_version(self.engine, dataset_id, version):
                return known
            if self.store.find(dataset_id) is None:
                raise self.store.not_found(dataset_id)
            raise errors.NotFound(
                field,
                f"data set {dataset_id} has no version {quoted(cut(version))}; "
                f"GET /datasets/{dataset_id} lists them",
            )
        return self._known_current(dataset_id) or self._copy_current(dataset_id)

    def download(
        self,
        version: DatasetVersion,
        path: str,
        on_bytes: Callable[[int], None] | None = None,
    ) -> TableFormat | None:
        """Download the file of a version to a path; return how to read it, if that is known.

        Calls `on_bytes` with the size of each part. Raises its errors, and `errors.NotFound`.
        """
        try:
            self.files.download(version.file_key, path, on_bytes)
        except errors.NotFound:
            raise _deleted(version.dataset_id, version.version) from None
        return version.format

    def current(self, dataset_id: str) -> DatasetVersion | None:
        """Return the current version of a data set, or None if there is no such data set."""
        return self.pin(dataset_id) if self.store.find(dataset_id) else None

    def get(self, dataset_id: str, version: str) -> DatasetVersion:
        """Return a version, also one that was deleted while a job needs it.

        Raises `errors.NotFound`.
        """
        if found := queries.read_version(self.engine, dataset_id, version):
            return found
        raise _deleted(dataset_id, version)

    def _known_current(self, dataset_id: str) -> DatasetVersion | None:
        current = self.store.find(dataset_id)
        if current is None:
            raise self.store.not_found(dataset_id)
        return queries.pin_current(self.engine, dataset_id, current.etag, current.size)

    def _copy_current(self, dataset_id: str) -> DatasetVersion:
        """Copy the current object, which has no version yet, into one."""
        with self._copying:  # others that wait for the same one find it copied
            for _ in range(COPY_ATTEMPTS):
                if known := self._known_current(dataset_id):
                    return known
                if copied := self.store.copy_to(
                    dataset_id, self._expect_file(dataset_id), self.files
                ):
                    stored, etag = copied
                    version = self._save(dataset_id, stored, Facts())
                    queries.mark_current(self.engine, dataset_id, version, etag)
                    return self.get(dataset_id, version)
        raise errors.Unavailable(
            f"data set {dataset_id} is replaced while it is read; ask again in a moment"
        )

    def _expect_file(self, dataset_id: str) -> str:
        """Return the key of a file that is swept unless a version gets it."""
        key = self.files.new_key(dataset_id)
        add_loose_file(self.engine, key)
        return key

    def _save(self, dataset_id: str, stored: StoredVersion, facts: Facts) -> str:
        version = version_of(stored.sha256, facts.told)
        queries.save_version(self.engine, dataset_id, version, stored.key, stored.size, facts)
        return version


def _deleted(dataset_id: str, version: str) -> errors.NotFound:
    return errors.NotFound(
        "dataset_version", f"version {version} of data set {dataset_id} was deleted"
    )
