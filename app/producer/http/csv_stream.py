"""Read a CSV from a request while S3 stores it; it is never in memory as a whole."""

import io
import threading
from collections.abc import Callable

from app.producer.http.csv_scan import CsvScan

# One upload is scanned at a time, so that the event loop waits for one thread at most.
_SCANNING = threading.Lock()


class CsvBody(io.RawIOBase):
    """The body as a file for S3's client; `scan` holds the columns and rows after the last read.

    `next_chunk` returns the next bytes of the body, and b"" after the last.
    """

    def __init__(self, next_chunk: Callable[[], bytes]) -> None:
        """Read from `next_chunk`."""
        self.scan = CsvScan()
        self.size = 0
        self._next_chunk = next_chunk
        self._left = b""
        self._ended = False

    def readable(self) -> bool:
        """Return True."""
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        """Fill `buffer` from the body. Raises `errors.Invalid`, which aborts the upload."""
        while not self._left and not self._ended:
            self._left = self._next_chunk()
            self.size += len(self._left)
            self._ended = not self._left
            with _SCANNING:
                self.scan.feed(self._left, last=self._ended)
        count = min(len(buffer), len(self._left))
        buffer[:count], self._left = self._left[:count], self._left[count:]
        return count
