"""The files of batch jobs in S3: what was uploaded, the parts and their results, the result."""

import hashlib
import logging
from collections.abc import Callable
from pathlib import Path
from typing import IO, cast

from app.storage.client import SEQUENTIAL_TRANSFER, S3Client, map_s3_errors
from app.storage.hashed_body import HashedBody, Readable
from app.storage.object_stream import ObjectStream

log = logging.getLogger(__name__)

PIECE_BYTES = 256_000
_DELETED_TOGETHER = 1000  # which is S3's limit


class BatchFiles:
    """The files below a prefix, a folder for each batch job.

    Each attempt writes to keys of its own, so a late one overwrites nothing. Readers only read the
    keys that a row of the database names. Methods raise `errors.StorageUnavailable` and
    `StorageFull`.
    """

    def __init__(self, client: S3Client, prefix: str) -> None:
        """Keep the files below `prefix`, which ends with a slash or is empty."""
        self._client = client
        self._prefix = prefix

    def folder(self, job_id: str) -> str:
        """Return the prefix of the keys of a job's files."""
        return f"{self._prefix}{job_id}/"

    def upload_key(self, job_id: str) -> str:
        """Return the key of the table that was uploaded with a job."""
        return f"{self.folder(job_id)}upload"

    def part_key(self, job_id: str, attempt: int, number: int) -> str:
        """Return the key of a part that an attempt at its job makes."""
        return f"{self.folder(job_id)}{attempt}/parts/{number}.arrow"

    def scored_key(self, job_id: str, number: int, attempt: int, suffix: str) -> str:
        """Return the key of the result of an attempt at a part."""
        return f"{self.folder(job_id)}scored/{number}/{attempt}.{suffix}"

    def result_key(self, job_id: str, attempt: int, suffix: str) -> str:
        """Return the key of the result of an attempt at a job."""
        return f"{self.folder(job_id)}{attempt}/result.{suffix}"

    def put(self, key: str, path: Path) -> tuple[str, int]:
        """Store a file; return its sha256 and its size in bytes."""
        with path.open("rb") as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        with map_s3_errors(f"file {key}"):
            self._client.boto.upload_file(
                str(path), self._client.bucket, key, Config=SEQUENTIAL_TRANSFER
            )
        return sha256, path.stat().st_size

    def put_upload(self, job_id: str, body: Readable) -> str:
        """Store the table of a job as it is read; return its sha256.

        An error while reading stores nothing.
        """
        hashed = HashedBody(body)
        reader = cast("IO[bytes]", hashed)  # boto only calls read
        with map_s3_errors("the upload"):
            self._client.boto.upload_fileobj(
                reader, self._client.bucket, self.upload_key(job_id), Config=SEQUENTIAL_TRANSFER
            )
        return hashed.sha256

    def download(
        self, key: str, path: Path, on_bytes: Callable[[int], None] = lambda _: None
    ) -> None:
        """Download a file; call `on_bytes` with the size of each piece.

        Raises `errors.NotFound` and the errors of `on_bytes`.
        """
        with map_s3_errors(f"file {key}"):
            self._client.boto.download_file(
                self._client.bucket, key, str(path), Config=SEQUENTIAL_TRANSFER, Callback=on_bytes
            )

    def open(self, key: str) -> ObjectStream:
        """Open a file. Raises `errors.NotFound`."""
        return ObjectStream(self._client, key)

    def delete_folder(self, folder: str, kept: str | None = None) -> bool:
        """Delete the files of a job, except the one with the key `kept`.

        Return False if S3 keeps one of them, as it does under an object lock.
        """
        deleted = True
        with map_s3_errors(f"folder {folder}"):
            pages = self._client.boto.get_paginator("list_objects_v2").paginate(
                Bucket=self._client.bucket, Prefix=folder
            )
            keys = [entry["Key"] for page in pages for entry in page.get("Contents", ())]
            gone = [key for key in keys if key != kept]
            for begin in range(0, len(gone), _DELETED_TOGETHER):
                together = gone[begin : begin + _DELETED_TOGETHER]
                answer = self._client.boto.delete_objects(
                    Bucket=self._client.bucket,
                    Delete={"Objects": [{"Key": key} for key in together], "Quiet": True},
                )
                if refused := answer.get("Errors"):
                    log.warning("S3 keeps %s: %s", refused[0]["Key"], refused[0].get("Message"))
                    deleted = False
        return deleted
