"""Data sets in S3: CSV files."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import IO, Any

from app import errors
from app.protocol.wording import did_you_mean
from app.storage.client import SEQUENTIAL_TRANSFER, S3Client, map_s3_errors


@dataclass(frozen=True)
class Dataset:
    """A data set in the bucket; `size` in bytes."""

    id: str
    size: int
    modified: datetime


class DatasetStore:
    """The data sets below a prefix. Methods raise `errors.StorageUnavailable`."""

    def __init__(self, client: S3Client, prefix: str) -> None:
        """Keep the data sets below `prefix`, which ends with a slash or is empty."""
        self._client = client
        self._prefix = prefix

    def put(self, dataset_id: str, body: IO[bytes]) -> None:
        """Upload a CSV as it is read. An error while reading stores nothing."""
        with map_s3_errors(f"data set {dataset_id}"):
            self._client.boto.upload_fileobj(
                body, self._client.bucket, self._key(dataset_id), Config=SEQUENTIAL_TRANSFER
            )

    def exists(self, dataset_id: str) -> bool:
        """Return whether the data set is stored."""
        try:
            with map_s3_errors(f"data set {dataset_id}"):
                self._client.boto.head_object(Bucket=self._client.bucket, Key=self._key(dataset_id))
        except errors.NotFound:
            return False
        return True

    def download(
        self, dataset_id: str, path: str, on_bytes: Callable[[int], None] | None = None
    ) -> None:
        """Download a CSV into a file; call `on_bytes` with the size of each part.

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
        with suppress(errors.WarrenError), map_s3_errors("the data sets"):
            page = self._client.boto.list_objects_v2(
                Bucket=self._client.bucket, Prefix=self._prefix
            )
            known = self._read(page)
        meant = did_you_mean(dataset_id, (each.id for each in known))
        return errors.NotFound("dataset_id", f"there is no data set {dataset_id}{meant}")

    def list(self) -> Sequence[Dataset]:
        """List every data set by name."""
        with map_s3_errors("the data sets"):
            pages = self._client.boto.get_paginator("list_objects_v2").paginate(
                Bucket=self._client.bucket, Prefix=self._prefix
            )
            return [each for page in pages for each in self._read(page)]

    def _read(self, page: Mapping[str, Any]) -> Sequence[Dataset]:
        """Return the data sets of a page of S3's list."""
        return [
            Dataset(
                entry["Key"].removeprefix(self._prefix).removesuffix(".csv"),
                entry["Size"],
                entry["LastModified"],
            )
            for entry in page.get("Contents", ())
            if entry["Key"].endswith(".csv")
        ]

    def _key(self, dataset_id: str) -> str:
        return f"{self._prefix}{dataset_id}.csv"
