"""How a row of the job table is shown; the seconds left only while the pace of its fit is known."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from app.jobs.record import JOB_COLUMNS, Job
from app.producer.jobs.job_views import job_view, seconds_left
from app.producer.schemas.jobs import JobSummary, JobView
from app.protocol.fit_progress import EXPORTED, FITTED, READ, share_of_fit
from app.protocol.types import JobKind, JobStatus
from tests.support.rows import ERROR

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


@pytest.mark.parametrize(("progress", "left"), [(None, None), (0.0, None), (0.25, 30.0), (1.0, 0)])
def test_the_pace_of_a_batch_job_is_that_of_its_parts(progress, left):
    assert seconds_left(progress, NOW - timedelta(seconds=10), NOW, JobKind.BATCH) == left


def test_a_clock_that_is_behind_the_databases_tells_no_negative_seconds():
    assert seconds_left(0.5, NOW + timedelta(seconds=3), NOW) == 0.0


REQUEST = {"dataset_id": "d", "features": ["a"], "target": "t", "estimator": None}
WARNING = {"type": "constant_column", "detail": "a has one value", "field": "a"}
DONE: dict[str, Any] = {
    "estimator": "svm_regressor",
    "params": {"C": 1.0, "kernel": "precomputed"},
    "runtime": "scikit-learn",
    "runtime_reason": "skl2onnx cannot export it",
    "parity": 0.0,
    "warnings": [WARNING],
}


def job(**values: Any) -> Job:
    """A row, whose other columns are null."""
    row = dict.fromkeys(column.name for column in JOB_COLUMNS) | {
        "id": "j",
        "kind": JobKind.TRAIN,
        "state": JobStatus.COMPLETED,
        "request": REQUEST,
        "attempt": 1,
        "failures": 0,
        "version": 3,
        "created_at": "2026-11-28T12:00:00Z",
    }
    return Job(**(row | values))


@pytest.mark.parametrize("form", [JobSummary, JobView])
def test_a_completed_training_shows_what_was_asked_for_and_what_was_done(form) -> None:
    view = job_view(form, job(fit_summary=DONE)).model_dump()

    assert view["request"] == REQUEST
    assert {name: view[name] for name in DONE} == DONE


@pytest.mark.parametrize("form", [JobSummary, JobView])
def test_other_jobs_show_null(form) -> None:
    before = job(state=JobStatus.ERROR, error=ERROR, request={**REQUEST, "estimator": "ridge"})

    view = job_view(form, before).model_dump()

    assert all(view[name] is None for name in DONE)
    assert view["error"] == ERROR


def test_internal_keys_of_a_request_are_not_shown() -> None:
    asked = job(kind=JobKind.PREDICT, request={"model_id": "m", "sha256": "a" * 64})

    assert job_view(JobView, asked).request == {"model_id": "m"}
