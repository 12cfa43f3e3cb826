import pytest

from app import errors
from app.producer.callers.caller_shares import CallerShares


def test_a_caller_holds_no_more_than_its_share_and_others_have_theirs() -> None:
    shares = CallerShares("bytes", 10)
    shares.take("a", 6)
    shares.take("b", 10)
    with pytest.raises(errors.QuotaExceeded, match=r"^a may have 10 bytes;"):
        shares.take("a", 5)
    shares.take("a", 4)
    shares.give_back("a", 10)
    shares.take("a", 10)


def test_what_is_held_is_given_back_after_an_error() -> None:
    shares = CallerShares("streams", 1)
    for _ in range(2):
        with pytest.raises(ValueError, match="broken"), shares.hold("a"):
            raise ValueError("broken")


def test_without_a_bound_everything_is_allowed() -> None:
    shares = CallerShares("streams", None)
    with shares.hold("a", 10**9), shares.hold("a"):
        pass
