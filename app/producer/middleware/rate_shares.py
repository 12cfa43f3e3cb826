"""Units that count for several keys at a time, such as an owner and one of its API keys."""

from collections.abc import Collection, Sequence
from typing import NamedTuple

from app.producer.middleware.gcra import Gcra


class Share(NamedTuple):
    """A key of a limit."""

    limit: Gcra
    key: str


def take_of_all(shares: Collection[Share], units: int = 1) -> None:
    """Take units of several keys, or of none if one has none left.

    Raises `errors.RateLimited` of the key that has to wait longest, of two the first.
    """
    refusals = [found for limit, key in shares if (found := limit.refusal(key))]
    if refusals:
        raise max(refusals, key=lambda each: each.extra["retry_after"])
    for limit, key in shares:
        limit.count(key, units)


def tightest(shares: Sequence[Share]) -> Share:
    """Return the key with the fewest units left, of two that which has more of them later."""

    def left(share: Share) -> tuple[int, int]:
        units, seconds = share.limit.left(share.key)
        return units, -seconds

    return shares[0] if len(shares) == 1 else min(shares, key=left)
