"""Files of the versions of data sets: each has a key of its own, and never changes."""

import uuid
from collections.abc import Callable
from typing import IO, NamedTuple, cast

from app.storage.client import SEQUENTIAL_TRANSFER, S3Client, map_s3_errors
from app.storage.hashed_body import HashedBody, Readable
from app.storage.object_stream import ObjectStream

FOLDER = ".versions/"  # no data set has such an id, because ids do not begin with a dot


class StoredVersion(NamedTuple):
    """A stored file: its key, the sha256 and the number of its bytes, in which it was read."""

    key: str
    sha256: str
    size: int


class VersionFiles:
    """The files of versions below the prefix of the data sets.

    Methods raise `errors.StorageUnavailable` and `StorageFull`.
    """

    def __init__(self, client: S3Client, prefix: str) -> None:
        """Keep the files below `prefix`, which ends with a slash or is empty, in a folder."""
        self._client = client
        self.prefix = f"{prefix}{FOLDER}"

    def new_key(self, dataset_id: str) -> str:
        """Return the key of a new file."""
        return f"{self.prefix}{dataset_id}/{uuid.uuid4().hex}"

    def put(self, key: str, body: Readable) -> StoredVersion:
        """Store a file as it is read. An error while reading stores nothing."""
        hashed = HashedBody(body)
        reader = cast("IO[bytes]", hashed)  # boto only calls read
        with map_s3_errors(f"file {key}"):
            self._client.boto.upload_fileobj(
                reader, self._client.bucket, key, Config=SEQUENTIAL_TRANSFER
            )
        return StoredVersion(key, hashed.sha256, hashed.size)

    def download(self, key: str, path: str, on_bytes: Callable[[int], None] | None = None) -> None:
        """Download a file to a path; call `on_bytes` with the size of each part.

        Raises `errors.NotFound` and the errors of `on_bytes`.
        """
        with map_s3_errors(f"file {key}"):
            self._client.boto.download_file(
                self._client.bucket, key, path, Config=SEQUENTIAL_TRANSFER, Callback=on_bytes
            )

    def open(self, key: str) -> ObjectStream:
        """Open a file. Raises `errors.NotFound`."""
        return ObjectStream(self._client, key)

    def delete(self, key: str) -> None:
        """Delete a file, if it exists."""
        with map_s3_errors(f"file {key}"):
            self._client.boto.delete_object(Bucket=self._client.bucket, Key=key)
