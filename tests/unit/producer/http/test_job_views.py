"""The seconds left of a job are told only while the pace of its fit is known."""

from datetime import UTC, datetime, timedelta

import pytest

from app.producer.http.job_views import seconds_left
from app.protocol.fit_progress import EXPORTED, FITTED, READ, share_of_fit

NOW = datetime(2026, 1, 1, tzinfo=UTC)
FIT = FITTED - READ


@pytest.mark.parametrize(
    ("progress", "share"),
    [
        (0.0, None),
        (READ, None),
        (READ + FIT / 4, 0.25),
        (FITTED, None),
        (EXPORTED, None),
        (1.0, None),
    ],
)
def test_the_share_of_the_fit_is_known_within_it(progress, share):
    assert share_of_fit(progress) == (share and pytest.approx(share))


@pytest.mark.parametrize("passed", [1, 80, 500])
@pytest.mark.parametrize("progress", [None, 0.0, READ, FITTED, EXPORTED])
def test_without_a_pace_nothing_is_told_however_long_it_takes(progress, passed):
    assert seconds_left(progress, NOW - timedelta(seconds=passed), NOW) is None


@pytest.mark.parametrize(
    ("share", "passed", "left"), [(0.01, 10, 990), (0.25, 10, 30), (0.5, 100, 100), (0.8, 8, 2)]
)
def test_the_fit_goes_on_at_its_pace(share, passed, left):
    progress = READ + share * FIT

    assert seconds_left(progress, NOW - timedelta(seconds=passed), NOW) == left


def test_a_clock_that_is_behind_the_databases_tells_no_negative_seconds():
    assert seconds_left(0.5, NOW + timedelta(seconds=3), NOW) == 0.0
