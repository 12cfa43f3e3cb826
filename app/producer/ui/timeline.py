"""What happened to a job, as far as its row and those of its attempts tell."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from app.jobs.attempt_end import AttemptOutcome
from app.jobs.attempt_list import AttemptRow
from app.jobs.parts import HELD_BY_PARTS
from app.jobs.record import Job
from app.protocol.types import JobStatus

_ENDS = {
    JobStatus.COMPLETED: "Completed",
    JobStatus.ERROR: "Ended with an error",
    JobStatus.CANCELLED: "Cancelled",
}
_HOW = {
    AttemptOutcome.COMPLETED: "completed",
    AttemptOutcome.SPLIT: "split the job into parts",
    AttemptOutcome.FAILED: "failed",
    AttemptOutcome.INTERRUPTED: "was interrupted",
    AttemptOutcome.CONSUMER_LOST: "was lost with its consumer",
    AttemptOutcome.LEASE_EXPIRED: "was lost: its consumer did not renew the lease",
    AttemptOutcome.RELEASED: "was given back",
    AttemptOutcome.REPLACED: "was begun anew: the answer to its claim got lost",
    AttemptOutcome.CANCELLED: "was cancelled",
}
# The end of the job says the same.
_AS_JOB = (AttemptOutcome.COMPLETED, AttemptOutcome.FAILED, AttemptOutcome.CANCELLED)


@dataclass(frozen=True)
class Step:
    """Something that happened, and when; None if no row keeps the time."""

    what: str
    at: datetime | None = None
    why: str | None = None


def timeline(job: Job, attempts: Sequence[AttemptRow], error: str | None) -> list[Step]:
    """Return the steps of a job, the first one first.

    `error` is the job's newest one, as shown, and so are the reasons of the `attempts`.
    """
    return [
        Step("Accepted", job.created_at),
        *_unknown(job, attempts),
        *(step for each in attempts for step in _steps_of(job, each)),
        *_now(job, attempts),
        *_end(job, error),
    ]


def _unknown(job: Job, attempts: Sequence[AttemptRow]) -> Iterator[Step]:
    """Tell of attempts without a row: the first of very many, and those of older consumers."""
    count = job.attempt - len(attempts)
    if count > 0:
        what = f"{count} attempt{'' if count == 1 else 's'} of which only the number is kept"
        counted = f"{job.failures} of all {job.attempt} failed, {job.losses} lost the consumer"
        yield Step(what, why=counted)


def _steps_of(job: Job, attempt: AttemptRow) -> Iterator[Step]:
    name = f"Attempt {attempt.attempt}"
    yield Step(f"{name} began on {attempt.consumer}", attempt.started_at)
    is_last = attempt.attempt == job.attempt
    if attempt.outcome and not (job.ended and is_last and attempt.outcome in _AS_JOB):
        yield Step(f"{name} {_HOW[attempt.outcome]}", attempt.ended_at, attempt.reason)


def _now(job: Job, attempts: Sequence[AttemptRow]) -> Iterator[Step]:
    if job.state is JobStatus.RUNNING:
        if job.worker == HELD_BY_PARTS:
            yield Step("The parts are scored")
        elif not attempts or attempts[-1].attempt < job.attempt:
            yield Step(f"Attempt {job.attempt} began on {job.worker}", job.started_at)
    if job.state is JobStatus.QUEUED:
        if job.run_after:
            yield Step("The next attempt may begin", job.run_after)
        if job.published_at is None:
            yield Step("Waits to be published to its queue")


def _end(job: Job, error: str | None) -> Iterator[Step]:
    if job.ended:
        why = error if job.state is JobStatus.ERROR else None
        yield Step(_ENDS[job.state], job.ended_at, why)
