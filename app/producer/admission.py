"""Limit the requests in flight, and the bytes of all bodies."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from app import errors

_ARRIVING = 0.75  # the share that bodies may take which are not complete yet


class AdmissionControl:
    """Limits how many requests are in flight at a time, and the bytes of all bodies in memory.

    Endpoints that wait for a model are admitted. That is no middleware, because other requests (for
    health, for jobs) must be served while predictions are refused. `BodyLimit` counts the bodies of
    all requests. Those that still arrive leave room, so that slow clients cannot take all of it.
    """

    def __init__(self, requests: int, size: int, largest: int = 0) -> None:
        """Admit at most `requests` at a time, and bodies of `size` bytes together.

        A body of `largest` bytes may always arrive if there is no other.
        """
        self._requests = requests
        self._free_requests = requests
        self._free_bytes = size
        self._free_arriving = max(int(size * _ARRIVING), largest)

    @contextmanager
    def admit(self) -> Iterator[Callable[[int], None]]:
        """Count a request while the block runs; yield a function that counts further bytes.

        It gives a negative number of bytes back. Both raise `errors.Overloaded` at the limit.
        """
        if not self._free_requests:
            raise errors.Overloaded
        self._free_requests -= 1
        taken = 0

        def take(size: int) -> None:
            nonlocal taken
            self.take(size)
            taken += size

        try:
            yield take
        finally:
            self._free_requests += 1
            self._free_bytes += taken

    @property
    def is_half_full(self) -> bool:
        """Whether more than half of the requests are in flight that may be."""
        return 2 * self._free_requests < self._requests

    def fits(self, size: int) -> bool:
        """Tell whether a body of so many bytes may begin to arrive now."""
        return size <= self._free_bytes and size <= self._free_arriving

    def take(self, size: int) -> None:
        """Count bytes. Raises `errors.Overloaded`."""
        if size > self._free_bytes:
            raise errors.Overloaded
        self._free_bytes -= size

    def take_arriving(self, size: int) -> None:
        """Count bytes of a body that is not complete yet. Raises `errors.Overloaded`."""
        if not self.fits(size):
            raise errors.Overloaded
        self._free_bytes -= size
        self._free_arriving -= size

    def complete(self, size: int) -> None:
        """Count bytes that were arriving as those of a complete body."""
        self._free_arriving += size

    def give_back(self, size: int) -> None:
        """Forget bytes of complete bodies."""
        self._free_bytes += size
