"""Bounds on the requests in flight, and on their bytes."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from app import errors


class AdmissionControl:
    """Bounds the requests that are answered at a time, and their bytes together."""

    def __init__(self, requests: int, size: int) -> None:
        """Nothing is in flight. `size` is in bytes."""
        self._free_requests = requests
        self._free_bytes = size

    @contextmanager
    def admit(self) -> Iterator[Callable[[int], None]]:
        """Count a request in while it is answered; what is given counts its bytes as they come.

        Both raise `errors.Overloaded`.
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
