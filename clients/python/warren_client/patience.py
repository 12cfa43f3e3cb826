"""How long a wait goes on while the server is lost."""

from collections.abc import Callable
from time import monotonic

from warren_client.errors import QuotaExceeded, RateLimited, Unavailable, Unreachable, WarrenError
from warren_client.retries import RetryPolicy

PASSING = (Unreachable, Unavailable, RateLimited, QuotaExceeded)


class Patience:
    """Counts the seconds since the server was heard of last."""

    def __init__(
        self, seconds: float, policy: RetryPolicy, clock: Callable[[], float] = monotonic
    ) -> None:
        """Wait for `seconds` without a word."""
        self._seconds = seconds
        self._policy = policy
        self._clock = clock
        self.heard()

    def heard(self) -> None:
        """Begin to count again."""
        self._last = self._clock()
        self._failures = 0

    def pause(self, error: WarrenError) -> float:
        """Return how many seconds to wait; raise the error if it will not pass or lasts long.

        A pause that the server asks for ends with the patience.
        """
        left = self._seconds - (self._clock() - self._last)
        if not isinstance(error, PASSING) or left < 0:
            raise error
        self._failures += 1
        return min(self._policy.pause(min(self._failures - 1, 3), error.retry_after), left)
