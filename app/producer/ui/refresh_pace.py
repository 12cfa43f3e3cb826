"""How often open pages ask again, so that all of them together cost little."""

from collections.abc import Callable
from time import monotonic

PACES = (3, 6, 12, 30, 60)  # seconds
_BUDGET = 12.0  # requests a second, of all pages together
_WINDOW = 10.0  # seconds


class RefreshPace:
    """Counts the requests for pages that refresh themselves, and slows the pages down.

    Each page tells its own pace, one of `PACES`. Pages that ask every `pace` seconds, `rate` of
    them a second, are `pace * rate` pages. The pace is in the page, so it takes few values: each
    change of it is a change of all pages.
    """

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        """Begin with the quickest pace."""
        self.seconds = PACES[0]
        self._clock = clock
        self._since = clock()
        self._asked = 0

    def count(self) -> int:
        """Count a request; return the seconds after which its page may ask again."""
        self._asked += 1
        now = self._clock()
        if (passed := now - self._since) >= _WINDOW:
            needed = self.seconds * self._asked / passed / _BUDGET
            self.seconds = next((pace for pace in PACES if pace >= needed), PACES[-1])
            self._since, self._asked = now, 0
        return self.seconds
