"""The steps of a job, made of its row and of those of its attempts."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from app.jobs.attempt_end import AttemptOutcome
from app.jobs.attempt_list import AttemptRow
from app.jobs.parts import HELD_BY_PARTS
from app.jobs.record import JOB_COLUMNS, Job, job_from_row
from app.producer.ui.timeline import Step, timeline
from app.protocol.types import JobKind, JobStatus

COUNTED = "1 of all 3 failed, 1 lost the consumer"
BEGIN = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def at(minutes: int) -> datetime:
    return BEGIN + timedelta(minutes=minutes)


def job(state: JobStatus, attempt: int = 0, **changes: Any) -> Job:
    row: dict[str, Any] = dict.fromkeys((each.name for each in JOB_COLUMNS), None)
    row |= {"id": "m", "kind": JobKind.TRAIN, "owner": "default", "failures": 0, "losses": 0}
    row |= {"created_at": BEGIN, "published_at": BEGIN, "state": state, "attempt": attempt}
    return job_from_row({**row, **changes})


def ended(number: int, outcome: AttemptOutcome, reason: str | None = None) -> AttemptRow:
    times = (at(2 * number - 1), at(2 * number))
    return AttemptRow(number, f"host:{number}", *times, outcome, reason)


def test_each_attempt_has_its_consumer_its_times_and_its_end() -> None:
    rows = [
        ended(1, AttemptOutcome.FAILED, "storage_unavailable: S3 is away"),
        ended(2, AttemptOutcome.LEASE_EXPIRED),
        AttemptRow(3, "host:3", at(5)),
    ]

    assert timeline(job(JobStatus.RUNNING, 3, worker="host:3"), rows, None) == [
        Step("Accepted", BEGIN),
        Step("Attempt 1 began on host:1", at(1)),
        Step("Attempt 1 failed", at(2), "storage_unavailable: S3 is away"),
        Step("Attempt 2 began on host:2", at(3)),
        Step("Attempt 2 was lost: its consumer did not renew the lease", at(4)),
        Step("Attempt 3 began on host:3", at(5)),
    ]


@pytest.mark.parametrize(
    ("state", "outcome", "last"),
    [
        (JobStatus.COMPLETED, AttemptOutcome.COMPLETED, Step("Completed", at(2))),
        (JobStatus.ERROR, AttemptOutcome.FAILED, Step("Ended with an error", at(2), "bad")),
        (JobStatus.CANCELLED, AttemptOutcome.CANCELLED, Step("Cancelled", at(2))),
    ],
)
def test_the_end_of_the_last_attempt_is_that_of_the_job(
    state: JobStatus, outcome: AttemptOutcome, last: Step
) -> None:
    steps = timeline(job(state, 1, ended_at=at(2)), [ended(1, outcome)], "bad")

    assert steps[2:] == [last]


def test_the_last_loss_is_told_beside_the_end_of_the_job() -> None:
    lost = ended(1, AttemptOutcome.CONSUMER_LOST)

    steps = timeline(job(JobStatus.ERROR, 1, losses=1, ended_at=at(2)), [lost], "lost")

    assert [each.what for each in steps[2:]] == [
        "Attempt 1 was lost with its consumer",
        "Ended with an error",
    ]


def test_attempts_without_a_row_are_counted() -> None:
    row = job(JobStatus.RUNNING, 3, worker="old:1", started_at=at(9), failures=1, losses=1)

    assert timeline(row, [], None)[1:] == [
        Step(
            "3 attempts of which only the number is kept",
            why=COUNTED,
        ),
        Step("Attempt 3 began on old:1", at(9)),
    ]


def test_a_waiting_job_tells_when_it_goes_on() -> None:
    row = job(JobStatus.QUEUED, 1, run_after=at(3), published_at=None)

    steps = timeline(row, [ended(1, AttemptOutcome.RELEASED, "its consumer stopped")], None)

    assert steps[2:] == [
        Step("Attempt 1 was given back", at(2), "its consumer stopped"),
        Step("The next attempt may begin", at(3)),
        Step("Waits to be published to its queue"),
    ]


def test_a_batch_job_is_held_by_its_parts() -> None:
    row = job(JobStatus.RUNNING, 1, kind=JobKind.BATCH, worker=HELD_BY_PARTS)

    steps = timeline(row, [ended(1, AttemptOutcome.SPLIT)], None)

    assert [each.what for each in steps[2:]] == [
        "Attempt 1 split the job into parts",
        "The parts are scored",
    ]


def test_every_outcome_has_words() -> None:
    for outcome in AttemptOutcome:
        assert timeline(job(JobStatus.QUEUED, 1), [ended(1, outcome)], None)[2].at == at(2)
