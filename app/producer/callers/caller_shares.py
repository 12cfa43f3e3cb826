"""Limit what each caller holds at a time."""

from collections.abc import Iterator
from contextlib import contextmanager

from app import errors


class CallerShares:
    """How much each caller holds of something, such as streams. It belongs to one event loop."""

    def __init__(self, what: str, most: int | None) -> None:
        """Let each caller hold `most` of `what` at a time; None is no bound."""
        self._what = what
        self._most = most
        self._held: dict[str, int] = {}

    def take(self, caller: str, amount: int = 1) -> None:
        """Count more for a caller. Raises `errors.QuotaExceeded` beyond its share."""
        if self._most is None:
            return
        held = self._held.get(caller, 0) + amount
        if held > self._most:
            raise errors.QuotaExceeded(
                f"{caller} may have {self._most:,} {self._what}; end some, or ask again later",
                limit=self._most,
            )
        self._held[caller] = held

    def give_back(self, caller: str, amount: int = 1) -> None:
        """Count less for a caller, which had taken as much."""
        if self._most is not None and (left := self._held.pop(caller) - amount) > 0:
            self._held[caller] = left

    @contextmanager
    def hold(self, caller: str, amount: int = 1) -> Iterator[None]:
        """Take an amount while the block runs."""
        self.take(caller, amount)
        try:
            yield
        finally:
            self.give_back(caller, amount)


UNBOUNDED = CallerShares("of all", None)
