import re
from datetime import UTC, datetime

import pytest

from app import errors
from app.inference.quarantine import QUARANTINE_SECONDS, STOPS, WINDOW_SECONDS, Quarantine

LATE = errors.DeadlineExceeded("the model took longer than 15 s")


class Clock:
    now = 1000.0

    def __call__(self):
        return self.now


def stopped(quarantine, clock, every=0.0):
    for _ in range(STOPS):
        clock.now += every
        quarantine.count("m", LATE)


def is_refused(quarantine, model_id="m"):
    try:
        quarantine.check(model_id)
    except errors.ModelQuarantined:
        return True
    return False


def test_a_model_is_refused_at_its_third_stop_and_says_why_and_until_when(caplog):
    clock = Clock()
    quarantine = Quarantine(clock)
    for _ in range(STOPS - 1):
        quarantine.count("m", LATE)
        quarantine.check("m")
    quarantine.count("m", LATE)

    with pytest.raises(errors.ModelQuarantined) as caught:
        quarantine.check("m")

    assert re.fullmatch(
        r"model m ended its process 3 times within 10 minutes, the last time because: "
        r"the model took longer than 15 s; it is not run before \d\d:\d\d:\d\d UTC",
        caught.value.detail,
    )
    until = datetime.fromisoformat(caught.value.extra["until"])
    assert 0 < (until - datetime.now(UTC)).total_seconds() <= QUARANTINE_SECONDS
    assert "model m is quarantined for 600 s" in caplog.text
    assert not is_refused(quarantine, "another")


def test_a_quarantine_ends_and_one_more_stop_is_no_new_one():
    clock = Clock()
    quarantine = Quarantine(clock)
    stopped(quarantine, clock)

    clock.now += QUARANTINE_SECONDS - 1
    assert is_refused(quarantine)
    clock.now += 1
    assert not is_refused(quarantine)
    quarantine.count("m", LATE)
    assert not is_refused(quarantine)


def test_stops_that_are_far_apart_are_no_reason():
    clock = Clock()
    quarantine = Quarantine(clock)

    stopped(quarantine, clock, every=WINDOW_SECONDS / (STOPS - 1))

    assert not is_refused(quarantine)


def test_a_model_that_was_stopped_is_remembered():
    quarantine = Quarantine()
    assert not quarantine.has_stopped("m")

    quarantine.count("m", LATE)

    assert quarantine.has_stopped("m")
    assert not quarantine.has_stopped("another")
