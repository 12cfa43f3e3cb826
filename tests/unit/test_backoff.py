import threading
from itertools import count, islice

import pytest

from app import errors
from app.backoff import ReconnectBackoff, RetryUntilAvailable, backoff_delays


@pytest.mark.parametrize("_", range(20))
def test_delays_double_up_to_five_seconds_less_at_most_half(_):
    wholes = [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0, 5.0]

    for delay, whole in zip(islice(backoff_delays(), 9), wholes, strict=True):
        assert whole / 2 <= delay <= whole


def test_no_two_clients_wait_alike():
    assert list(islice(backoff_delays(), 10)) != list(islice(backoff_delays(), 10))


def test_delays_grow_until_a_connection_holds():
    now = 0.0
    backoff = ReconnectBackoff(lambda: map(float, count(1)), steady_seconds=5.0, clock=lambda: now)
    for expected in (1.0, 2.0, 3.0):
        backoff.begin()
        now += 5.0
        assert backoff.next() == expected

    backoff.begin()
    now += 5.1
    assert backoff.next() == 1.0


def test_a_call_is_repeated_until_a_dependency_is_available():
    outcomes = [errors.DatabaseUnavailable("away"), "done"]

    def call():
        outcome = outcomes.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    assert RetryUntilAvailable(threading.Event())(call) == "done"


def test_nobody_waits_once_the_process_is_shutting_down():
    stopping = threading.Event()
    stopping.set()
    retry = RetryUntilAvailable(stopping)

    with pytest.raises(errors.ShuttingDown):
        retry.raise_if_stopping()
    with pytest.raises(errors.ShuttingDown):
        retry.wait(60)
