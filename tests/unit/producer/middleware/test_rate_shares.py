"""Units that count for several keys: all of them are taken, or none."""

import pytest

from app import errors
from app.producer.middleware.gcra import Gcra
from app.producer.middleware.rate_shares import Share, take_of_all, tightest


def share(key: str, rate: float) -> Share:
    """A key of a limit of its own, at a time that stands still."""
    return Share(Gcra("requests", rate, lambda: 0.0), key)


def left(*shares: Share) -> list[int]:
    return [limit.left(key)[0] for limit, key in shares]


def test_units_count_for_each_key() -> None:
    owner, key = share("owner", 10), share("key", 5)

    take_of_all([owner, key], 2)

    assert left(owner, key) == [8, 3]


@pytest.mark.parametrize("refused", ["owner", "key"])
def test_what_one_key_is_refused_counts_for_none(refused: str) -> None:
    rates = {"owner": 10.0, "key": 10.0} | {refused: 1.0}
    owner, key = (share(name, rate) for name, rate in rates.items())
    take_of_all([owner, key])
    before = left(owner, key)

    with pytest.raises(errors.RateLimited, match=f"^{refused} may have 1 requests a second"):
        take_of_all([owner, key])

    assert left(owner, key) == before


@pytest.mark.parametrize("slow", ["owner", "key"])
def test_of_two_refusals_the_one_with_the_longer_wait_is_told(slow: str) -> None:
    rates = {"owner": 0.5, "key": 0.5} | {slow: 0.1}
    shares = [share(name, rate) for name, rate in rates.items()]
    take_of_all(shares)

    with pytest.raises(errors.RateLimited, match=f"^{slow} ") as refused:
        take_of_all(shares)

    assert refused.value.extra == {"retry_after": 10}


def test_the_tightest_has_the_fewest_units_left_and_waits_longest() -> None:
    wide, narrow, slow = share("wide", 10), share("narrow", 1), share("slow", 0.1)

    assert tightest([wide, narrow]) == narrow
    take_of_all([wide], 10)
    assert tightest([wide, narrow]) == wide
    take_of_all([narrow, slow])
    assert tightest([wide, narrow, slow]) == slow
