from itertools import islice

import pytest

from app.broker import backoff


@pytest.mark.parametrize("_", range(20))
def test_delays_double_up_to_five_seconds_less_at_most_half(_):
    wholes = [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0, 5.0]

    for delay, whole in zip(islice(backoff(), 9), wholes, strict=True):
        assert whole / 2 <= delay <= whole


def test_no_two_clients_wait_alike():
    assert list(islice(backoff(), 10)) != list(islice(backoff(), 10))
