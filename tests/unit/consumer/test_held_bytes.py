import pytest

from app import errors
from app.consumer.held_bytes import HeldBytes


def test_no_more_than_the_bound_is_held():
    held = HeldBytes(100)
    held.take(60)
    with pytest.raises(errors.Overloaded, match="60 bytes"):
        held.take(41)
    held.take(40)
    assert held.held == 100

    held.give(60)

    held.take(60)
    assert held.held == 100


def test_one_that_is_larger_than_the_bound_may_wait_alone():
    held = HeldBytes(100)
    held.take(1000)
    with pytest.raises(errors.Overloaded):
        held.take(1)
    held.give(1000)
    assert held.held == 0
