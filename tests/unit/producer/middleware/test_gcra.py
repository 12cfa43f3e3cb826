import pytest

from app import errors
from app.producer.middleware.gcra import Gcra


class Clock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def taken(limit: Gcra, key: str, times: int) -> int:
    """Take a unit up to so many times; return how often that was allowed."""
    for number in range(times):
        try:
            limit.take(key)
        except errors.RateLimited:
            return number
    return times


@pytest.mark.parametrize(
    ("rate", "quota", "window"),
    [(50, 50, 1), (2.5, 3, 2), (1, 1, 1), (0.1, 1, 10), (1e5, 10**5, 1)],
)
def test_the_units_of_the_window_may_come_at_once(rate: float, quota: int, window: int) -> None:
    limit = Gcra("requests", rate, Clock())
    assert (limit.quota, limit.window) == (quota, window)
    assert taken(limit, "a", quota + 10) == quota


@pytest.mark.parametrize("rate", [50, 2.5, 0.1])
def test_the_rate_holds_for_any_length_of_time(rate: float) -> None:
    clock = Clock()
    limit = Gcra("requests", rate, clock)
    seconds, allowed = 1000, 0
    for _ in range(seconds):
        allowed += taken(limit, "a", 100)
        clock.now += 1
    assert allowed == pytest.approx(rate * seconds, rel=0.02)


def test_a_key_that_has_none_left_is_told_when_to_ask_again() -> None:
    clock = Clock()
    limit = Gcra("requests", 0.1, clock)
    limit.take("a")
    clock.now += 3.5
    with pytest.raises(errors.RateLimited, match=r"a may have 0\.1 requests a second") as refused:
        limit.take("a")
    assert refused.value.extra == {"retry_after": 7}
    clock.now += 7
    limit.take("a")


def test_a_large_request_is_served_and_paid_for_afterwards() -> None:
    clock = Clock()
    limit = Gcra("rows", 100, clock)
    limit.take("a", 1000)
    assert limit.left("a") == (0, 10)
    with pytest.raises(errors.RateLimited):
        limit.take("a", 1)
    clock.now += 9.5
    assert limit.left("a") == (50, 1)


def test_what_is_left_is_what_may_be_taken() -> None:
    clock = Clock()
    limit = Gcra("requests", 7, clock)
    assert limit.left("a") == (7, 0)
    for moment in range(200):
        clock.now += moment % 5 / 10
        left, seconds = limit.left("a")
        assert 0 <= seconds <= 1
        assert taken(limit, "a", left + 1) == left or seconds == 0


def test_keys_do_not_share_and_are_forgotten_when_they_have_all_again() -> None:
    clock = Clock()
    limit = Gcra("requests", 1, clock)
    for number in range(5000):
        limit.take(f"key {number}")
        clock.now += 0.01
    assert limit.keys < 2000
    assert limit.left("key 4999")[0] == 0
