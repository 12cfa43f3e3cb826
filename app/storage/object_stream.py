"""Read an object of S3 piece by piece, for an answer that is not held as a whole."""

from app.storage.client import S3Client, map_s3_errors


class ObjectStream:
    """An open object; `size` in bytes. One thread at a time may read it."""

    def __init__(self, client: S3Client, key: str) -> None:
        """Open an object. Raises `errors.NotFound` or `StorageUnavailable`."""
        self._what = f"file {key}"
        with map_s3_errors(self._what):
            found = client.boto.get_object(Bucket=client.bucket, Key=key)
        self.size = found["ContentLength"]
        self._body = found["Body"]

    def read(self, size: int) -> bytes:
        """Return the next `size` bytes at most, b"" at the end.

        Raises `errors.StorageUnavailable`.
        """
        with map_s3_errors(self._what):
            return self._body.read(size)

    def close(self) -> None:
        """Give the connection back."""
        self._body.close()
