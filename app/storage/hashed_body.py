"""A body that is hashed while S3 reads it."""

import hashlib
from typing import Protocol


class Readable(Protocol):
    """What can be read from its begin to its end."""

    def read(self, size: int = -1, /) -> bytes:
        """Return the next `size` bytes at most, and b"" at the end."""


class HashedBody:
    """A body that counts and hashes the bytes that are read from it.

    It has no more methods, so that boto reads it once, from its begin.
    """

    def __init__(self, body: Readable) -> None:
        """Take a body of which nothing is read yet."""
        self._body = body
        self._sha256 = hashlib.sha256()
        self.size = 0

    @property
    def sha256(self) -> str:
        """Return the hash of the bytes that were read."""
        return self._sha256.hexdigest()

    def read(self, size: int = -1) -> bytes:
        """Return the next `size` bytes at most, and b"" at the end."""
        read = self._body.read(size)
        self._sha256.update(read)
        self.size += len(read)
        return read
