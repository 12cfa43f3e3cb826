"""Data sets in S3: the objects that are their current content."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from datetime import datetime
from typing import IO, Any, NamedTuple

from app import errors
from app.auth.identity import DEFAULT_OWNER
from app.auth.names import owner_of, qualified, shown
from app.protocol.wording import did_you_mean
from app.storage.client import SEQUENTIAL_TRANSFER, S3Client, map_s3_errors
from app.storage.version_files import StoredVersion, VersionFiles

COPY_BYTES = 5 * 1024**3  # that S3 copies in one call; more has to be copied in parts


@dataclass(frozen=True)
class Dataset:
    """A data set in the bucket; `size` in bytes."""

    id: str
    size: int
    modified: datetime
    etag: str


class CurrentObject(NamedTuple):
    """The object that is a data set now. `etag` changes with its content."""

    etag: str
    size: int
    modified: datetime


class DatasetStore:
    """The data sets below a prefix. Methods raise `errors.StorageUnavailable`."""

    def __init__(self, client: S3Client, prefix: str) -> None:
        """Keep the data sets below `prefix`, which ends with a slash or is empty."""
        self._client = client
        self._prefix = prefix

    def put(self, dataset_id: str, body: IO[bytes]) -> None:
        """Upload a file as it is read. An error while reading stores nothing."""
        with map_s3_errors(f"data set {dataset_id}"):
            self._client.boto.upload_fileobj(
                body, self._client.bucket, self._key(dataset_id), Config=SEQUENTIAL_TRANSFER
            )

    def find(self, dataset_id: str) -> CurrentObject | None:
        """Return the object that is the data set now, or None if there is none."""
        try:
            with map_s3_errors(f"data set {dataset_id}"):
                found = self._client.boto.head_object(
                    Bucket=self._client.bucket, Key=self._key(dataset_id)
                )
        except errors.NotFound:
            return None
        return CurrentObject(found["ETag"], found["ContentLength"], found["LastModified"])

    def copy_from(self, dataset_id: str, file: StoredVersion) -> str:
        """Make a stored file the data set; return the new object's ETag.

        Raises `errors.NotFound` if the file is not there any more.
        """
        boto, bucket, key = self._client.boto, self._client.bucket, self._key(dataset_id)
        with map_s3_errors(f"data set {dataset_id}"):
            if file.size < COPY_BYTES:
                copied = boto.copy_object(
                    CopySource={"Bucket": bucket, "Key": file.key}, Bucket=bucket, Key=key
                )
                return copied["CopyObjectResult"]["ETag"]
            boto.copy({"Bucket": bucket, "Key": file.key}, bucket, key, Config=SEQUENTIAL_TRANSFER)
            return boto.head_object(Bucket=bucket, Key=key)["ETag"]

    def copy_to(
        self, dataset_id: str, key: str, files: VersionFiles
    ) -> tuple[StoredVersion, str] | None:
        """Copy the data set into a new file; return it, and the ETag of what was read.

        The bytes pass through this process, because the file is named by what they are: S3 would
        copy another content if the data set were replaced meanwhile. Returns None if it was
        replaced. Raises `errors.NotFound`.
        """
        with map_s3_errors(f"data set {dataset_id}"):
            read = self._client.boto.get_object(
                Bucket=self._client.bucket, Key=self._key(dataset_id)
            )
            with closing(read["Body"]) as body:
                stored = files.put(key, body)
        now = self.find(dataset_id)
        if now and (now.etag, now.size) == (read["ETag"], stored.size):
            return stored, now.etag
        return None

    def delete(self, dataset_id: str) -> None:
        """Delete the object of a data set, if it exists."""
        with map_s3_errors(f"data set {dataset_id}"):
            self._client.boto.delete_object(Bucket=self._client.bucket, Key=self._key(dataset_id))

    def exists(self, dataset_id: str) -> bool:
        """Return whether the data set is stored."""
        return self.find(dataset_id) is not None

    def download(
        self, dataset_id: str, path: str, on_bytes: Callable[[int], None] | None = None
    ) -> None:
        """Download a data set into a file; call `on_bytes` with the size of each part.

        Raises `errors.NotFound` and the errors of `on_bytes`.
        """
        try:
            with map_s3_errors(f"data set {dataset_id}"):
                self._client.boto.download_file(
                    self._client.bucket,
                    self._key(dataset_id),
                    path,
                    Config=SEQUENTIAL_TRANSFER,
                    Callback=on_bytes,
                )
        except errors.NotFound:
            raise errors.NotFound(None, self.not_found(dataset_id).message) from None

    def not_found(self, dataset_id: str) -> errors.NotFound:
        """Return the error of a data set that is not stored; name the nearest of the first 1,000.

        An error of S3 only leaves out the name.
        """
        known: Sequence[Dataset] = ()
        owner = owner_of(dataset_id)
        with suppress(errors.WarrenError), map_s3_errors("the data sets"):
            page = self._client.boto.list_objects_v2(
                Bucket=self._client.bucket, Prefix=self._prefix_of(owner), Delimiter="/"
            )
            known = self._read(page, owner)
        meant = did_you_mean(dataset_id, (qualified(owner, each.id) for each in known))
        return errors.NotFound("dataset_id", f"there is no data set {dataset_id}{meant}")

    def list(self, owner: str = DEFAULT_OWNER) -> Sequence[Dataset]:
        """List every data set of an owner by name; the names are the owner's, not qualified."""
        with map_s3_errors("the data sets"):
            pages = self._client.boto.get_paginator("list_objects_v2").paginate(
                Bucket=self._client.bucket, Prefix=self._prefix_of(owner), Delimiter="/"
            )
            return [each for page in pages for each in self._read(page, owner)]

    def _prefix_of(self, owner: str) -> str:
        """Return how the keys of an owner's data sets begin; of the default one, as all others."""
        return f"{self._prefix}{qualified(owner, '')}"

    def _read(self, page: Mapping[str, Any], owner: str) -> Sequence[Dataset]:
        """Return the owner's data sets of a page of S3's list."""
        return [
            Dataset(
                shown(owner, name),
                entry["Size"],
                entry["LastModified"],
                f'"{entry["ETag"].strip(chr(34))}"',  # rclone lists it without its quotes
            )
            for entry in page.get("Contents", ())
            if entry["Key"].endswith(".csv")
            and owner_of(name := entry["Key"].removeprefix(self._prefix).removesuffix(".csv"))
            == owner
        ]

    def _key(self, dataset_id: str) -> str:
        return f"{self._prefix}{dataset_id}.csv"
