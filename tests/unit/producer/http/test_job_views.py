"""How a row of the job table is shown."""

from typing import Any

import pytest

from app.jobs.record import JOB_COLUMNS, Job
from app.producer.http.job_views import job_view
from app.producer.schemas.jobs import JobSummary, JobView
from app.protocol.types import JobKind, JobStatus
from tests.support.rows import ERROR

REQUEST = {"dataset_id": "d", "features": ["a"], "target": "t", "estimator": None}
WARNING = {"type": "constant_column", "detail": "a has one value", "field": "a"}
FIT: dict[str, Any] = {
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
    view = job_view(form, job(fit=FIT)).model_dump()

    assert view["request"] == REQUEST
    assert {name: view[name] for name in FIT} == FIT


@pytest.mark.parametrize("form", [JobSummary, JobView])
def test_other_jobs_show_null(form) -> None:
    before = job(state=JobStatus.ERROR, error=ERROR, request={**REQUEST, "estimator": "ridge"})

    view = job_view(form, before).model_dump()

    assert all(view[name] is None for name in FIT)
    assert view["error"] == ERROR


def test_internal_keys_of_a_request_are_not_shown() -> None:
    asked = job(kind=JobKind.PREDICT, request={"model_id": "m", "sha256": "a" * 64})

    assert job_view(JobView, asked).request == {"model_id": "m"}
