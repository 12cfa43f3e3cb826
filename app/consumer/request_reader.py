"""Read a request that a client has to send within a time."""

import io
import socket
from collections.abc import Callable
from time import monotonic
from typing import Any


class RequestReader(io.RawIOBase):
    """The bytes of a connection, until `seconds` after it was made.

    A timeout of the connection alone would begin again with each byte.
    """

    def __init__(
        self, connection: socket.socket, seconds: float, clock: Callable[[], float] = monotonic
    ) -> None:
        """Begin to count. The connection has the timeout `seconds` for what is written."""
        self._connection = connection
        self._seconds = seconds
        self._clock = clock
        self._end = clock() + seconds

    def readable(self) -> bool:
        """Tell that this can be read."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Read some bytes; return their number, 0 at the end. Raises `TimeoutError`."""
        if (left := self._end - self._clock()) <= 0:
            raise TimeoutError
        self._connection.settimeout(left)
        try:
            return self._connection.recv_into(buffer)
        finally:
            self._connection.settimeout(self._seconds)
