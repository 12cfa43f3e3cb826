"""The generic cell rate algorithm: a rate for each key.

ITU-T Recommendation I.371, annex A, virtual scheduling: of each key only the theoretical arrival
time of its next unit is kept.
"""

import math
from collections.abc import Callable
from time import monotonic

from app import errors

_FEW = 1024  # keys that need no cleaning
_ROUNDING = 1e-6  # seconds, more than the error of floating-point times


class Gcra:
    """Limits how much each key takes a second. It belongs to one event loop."""

    def __init__(self, what: str, rate: float, clock: Callable[[], float] = monotonic) -> None:
        """Let each key take `rate` units of `what` a second, and those of a second at once."""
        self.what = what
        self._rate = rate
        self.quota = math.ceil(rate)  # units at once
        self.window = math.ceil(self.quota / rate)  # seconds in which they come back
        self.policy = f'"{what}";q={self.quota};w={self.window};qu="{what}"'  # as headers have it
        self._tolerance = (self.quota - 1) / rate
        self._clock = clock
        self._arrivals: dict[str, float] = {}  # the theoretical arrival time of each key
        self._many = _FEW

    def take(self, key: str, units: int = 1) -> None:
        """Take units of a key; raise `errors.RateLimited` if it has none left.

        A key that has one left may take any number. It then waits until they have come back, so
        that the rate holds for requests of any size.
        """
        if refusal := self.refusal(key):
            raise refusal
        self.count(key, units)

    def refusal(self, key: str) -> errors.RateLimited | None:
        """Return the error of a key that has no unit left, or None if it has one."""
        now = self._clock()
        wait = self._arrivals.get(key, now) - self._tolerance - now
        if wait <= _ROUNDING:
            return None
        seconds = math.ceil(wait - _ROUNDING)
        return errors.RateLimited(
            f"{key} may have {self._rate:g} {self.what} a second; ask again in {seconds} s",
            retry_after=seconds,
        )

    def count(self, key: str, units: int = 1) -> None:
        """Take units of a key, whether or not it has any left."""
        now = self._clock()
        self._arrivals[key] = max(now, self._arrivals.get(key, now)) + units / self._rate
        if len(self._arrivals) > self._many:
            self._forget(now)

    def left(self, key: str) -> tuple[int, int]:
        """Return how many units a key has left, and in how many seconds it has more.

        The seconds are those until it has one, or all if it has one already.
        """
        now = self._clock()
        owed = max(0.0, self._arrivals.get(key, now) - now - _ROUNDING)
        units = math.floor((self._tolerance - owed) * self._rate + 1)
        if units > 0:
            return units, math.ceil(owed)
        return 0, math.ceil(owed - self._tolerance)

    @property
    def keys(self) -> int:
        """Return how many keys are kept."""
        return len(self._arrivals)

    def _forget(self, now: float) -> None:
        """Forget the keys that have all their units; the others have taken some in the window."""
        self._arrivals = {key: each for key, each in self._arrivals.items() if each > now}
        self._many = max(_FEW, 2 * len(self._arrivals))
