from types import SimpleNamespace
from typing import get_args

import pytest

from app import errors
from app.jobs.counted import outcome_name, reason_of
from app.jobs.outcomes import Lost, Outcome, PredictionDone
from tests.support.rows import ERROR


def a_job(**changes):
    """What of a row tells why an attempt is needed."""
    return SimpleNamespace(**{"parts": None, "error": None, **changes})


@pytest.mark.parametrize(
    ("job", "attempt", "reason"),
    [
        (a_job(), 1, "first"),
        (a_job(), 2, "release"),
        (a_job(error=ERROR), 2, "retry"),
        (a_job(error=errors.ConsumerLost().to_wire()), 2, "takeover"),
        (a_job(error=errors.ChildLost().to_wire()), 3, "takeover"),
        (a_job(parts=3, error=ERROR), 2, "assembly"),
    ],
    ids=["first", "release", "retry", "consumer", "child", "assembly"],
)
def test_an_attempt_has_a_reason(job, attempt, reason):
    assert reason_of(job, attempt) == reason


def test_each_outcome_has_a_name():
    for kind in get_args(Outcome):
        assert outcome_name(object.__new__(kind), applied=True)


def test_an_outcome_that_was_not_written_is_lost():
    assert outcome_name(PredictionDone({}), applied=False) == "lost"
    assert outcome_name(Lost(), applied=True) == "lost"
