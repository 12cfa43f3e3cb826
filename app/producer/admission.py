"""Limit the requests in flight, and their bytes."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from app import errors


class AdmissionControl:
    """Limits how many requests are in flight at a time, and the bytes of all their bodies.

    Endpoints that wait for a model call it. It is not a middleware, because other requests (for
    health, for jobs) must be served while predictions are refused.
    """

    def __init__(self, requests: int, size: int) -> None:
        """Admit at most `requests` at a time, of `size` bytes together."""
        self._free_requests = requests
        self._free_bytes = size

    @contextmanager
    def admit(self) -> Iterator[Callable[[int], None]]:
        """Count a request while the block runs; yield a function that counts its bytes.

        It gives a negative number of bytes back. Both raise `errors.Overloaded` at the limit.
        """
        if not self._free_requests:
            raise errors.Overloaded
        self._free_requests -= 1
        taken = 0

        def take(size: int) -> None:
            nonlocal taken
            if size > self._free_bytes:
                raise errors.Overloaded
            self._free_bytes -= size
            taken += size

        try:
            yield take
        finally:
            self._free_requests += 1
            self._free_bytes += taken
