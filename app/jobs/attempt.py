"""One attempt of a job: claim it, run it, conclude it.

Every step is a compare-and-set on the job's id and the attempt's number, which is a fencing token.
A late step changes no row. Handlers run the attempt; this module knows no AMQP and no event loop.
"""

import logging
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any

from app import errors
from app.backoff import RetryUntilAvailable
from app.jobs import retry_policy, shares
from app.jobs.record import Job
from app.jobs.store import JobStore
from app.protocol.types import JobKind, JobStatus

log = logging.getLogger(__name__)

GIVE_WAY_SECONDS = 2.0  # after which a training that gave way is delivered again


@dataclass(frozen=True)
class Claimed:
    """The attempt holds the job."""

    job: Job
    attempt: int


@dataclass(frozen=True)
class AlreadyEnded:
    """The job has ended."""

    job: Job


@dataclass(frozen=True)
class RunsElsewhere:
    """Another attempt runs the job."""

    job: Job


@dataclass(frozen=True)
class GaveWay:
    """The job leaves the slot to another caller's; its message comes again."""

    job: Job


@dataclass(frozen=True)
class TrainingDone:
    """A training is done: the model's folder, its file's sha256, metrics, and what the fit did."""

    key: str
    sha256: str
    metrics: dict[str, float]
    fit_summary: dict[str, Any]


@dataclass(frozen=True)
class PredictionDone:
    """A prediction is done."""

    result: dict[str, Any]


@dataclass(frozen=True)
class Retryable:
    """The attempt failed; the next one may succeed."""

    error: errors.WarrenError


@dataclass(frozen=True)
class Interrupted:
    """The attempt ended through no fault of its own, and is not counted as a failure."""

    error: errors.WarrenError


@dataclass(frozen=True)
class AttemptFailed:
    """The attempt failed, and the next one would fail in the same way."""

    error: errors.WarrenError


@dataclass(frozen=True)
class Released:
    """The attempt ended without a failure, so that another consumer can run the job.

    If `message_lost`, its message may not return to the queue, and the relay publishes another one.
    """

    message_lost: bool = False


@dataclass(frozen=True)
class Lost:
    """The attempt has lost its job."""


Outcome = TrainingDone | PredictionDone | Retryable | Interrupted | AttemptFailed | Released | Lost


def outcome_of(error: Exception, *, may_have_run: bool = False) -> Outcome:
    """Return what an error means for the job.

    If `may_have_run`, the work may already be done and must not be repeated.
    """
    match error:
        case errors.ShuttingDown():
            return Released()
        case errors.Fenced():
            return Lost()
        case errors.ChildLost() if not may_have_run:
            return Interrupted(error)
        case errors.Unavailable() if not may_have_run:
            return Retryable(error)
        case errors.WarrenError():
            return AttemptFailed(error)
        case OSError() if error.strerror and not may_have_run:
            # A full disk, say: the next attempt may run on another machine.
            refused = f"the consumer's system refused: {error.strerror}"
            return Retryable(errors.Unavailable(refused))
    return AttemptFailed(errors.WarrenError())  # a bug


class JobAttempts:
    """Claims and concludes the attempts of one worker.

    No other worker may have the same name. Methods block, and retry until the database is
    available. They raise `errors.ShuttingDown` when the consumer stops meanwhile.
    """

    def __init__(
        self,
        jobs: JobStore,
        worker: str,
        retry: RetryUntilAvailable,
        retry_delay: Callable[[int], float] = retry_policy.retry_delay,
    ) -> None:
        """Attempt jobs as `worker`; `retry_delay` maps failures to the seconds until the next."""
        self._jobs = jobs
        self._worker = worker
        self._retry = retry
        self._retry_delay = retry_delay

    def claim(
        self, job_id: str, check: Callable[[Job], None]
    ) -> Claimed | AlreadyEnded | RunsElsewhere | GaveWay | None:
        """Claim a job; return None if there is no row of that id.

        `check` raises if the message asks for a different job. A message that finds its job running
        is a duplicate: the relay publishes another one when it finds the job's consumer lost.
        """
        while True:
            job = self.job(job_id)
            if job is None:
                return None
            check(job)
            if job.ended:
                log.info("duplicate dropped: %s in attempt %d", job.state, job.attempt)
                return AlreadyEnded(job)
            if job.kind is JobKind.TRAIN and job.state is JobStatus.QUEUED and self._give_way(job):
                return GaveWay(job)
            attempt = self._retry(partial(self._jobs.claim, job_id, self._worker))
            if attempt is not None:
                return Claimed(job, attempt)
            if job.state is JobStatus.RUNNING:
                log.info("duplicate dropped: attempt %d runs on %s", job.attempt, job.worker)
                return RunsElsewhere(job)

    def conclude(self, claimed: Claimed, outcome: Outcome) -> bool:
        """Write the outcome into the row; return False if the attempt has lost its job."""
        of = (claimed.job.id, claimed.attempt)
        match outcome:
            case TrainingDone(key, sha256, metrics, fit_summary):
                applied = self._retry(
                    lambda: self._jobs.complete_training(*of, key, sha256, metrics, fit_summary)
                )
                if applied:
                    log.info("attempt %d: published as %s", claimed.attempt, key)
            case PredictionDone(result):
                applied = self._retry(lambda: self._jobs.complete_prediction(*of, result))
            case Retryable(error):
                applied = self._conclude_retryable(*of, error)
            case Interrupted(error):
                log.warning("attempt %d was interrupted: %s", claimed.attempt, error)
                applied = self._retry(lambda: self._jobs.lose(*of, error.to_wire()))
            case AttemptFailed(error):
                log.warning("attempt %d failed: %s", claimed.attempt, error)
                applied = self._retry(lambda: self._jobs.fail(*of, error.to_wire()))
            case Released(message_lost):
                return self._release(*of, message_lost=message_lost)
            case Lost():
                applied = False
        if not applied:
            job = self.job(claimed.job.id)
            cause = "cancelled" if job and job.state is JobStatus.CANCELLED else "fenced"
            log.warning("%s: attempt %d no longer has the job", cause, claimed.attempt)
        return applied

    def count_rejection(self, job_id: str) -> None:
        """Count a failure for the queued job of a rejected message.

        Without the count, the relay would publish the message again for ever.
        """
        error = errors.Invalid(None, "the job's message was rejected; it is a dead letter")
        # Unavailable: the relay publishes the message again, and it is rejected again.
        # Invalid: no row can have such an id.
        with suppress(errors.Unavailable, errors.Invalid):
            self._jobs.refuse(job_id, error.to_wire(), self._retry_delay(1))

    def job(self, job_id: str) -> Job | None:
        """Return the job's row as it is now."""
        return self._retry(lambda: self._jobs.get(job_id))

    def _give_way(self, job: Job) -> bool:
        """Put a training back if its caller has more than its share of the slots."""
        if not self._retry(lambda: shares.must_give_way(self._jobs, job)):
            return False
        log.info("the job gives way to another caller's")
        return self._retry(lambda: self._jobs.give_way(job.id, GIVE_WAY_SECONDS))

    def _conclude_retryable(self, job_id: str, attempt: int, error: errors.WarrenError) -> bool:
        log.warning("attempt %d failed: %s", attempt, error)
        job = self.job(job_id)
        delay = self._retry_delay(job.failures + 1 if job else 1)
        wire = error.to_wire()
        applied = self._retry(lambda: self._jobs.retry(job_id, attempt, wire, delay))
        if applied:
            log.warning("retry in %.1f s, unless that was the last attempt", delay)
        return applied

    def _release(self, job_id: str, attempt: int, *, message_lost: bool) -> bool:
        """Release the job without retries, because its lease expires if that fails."""
        try:
            released = self._jobs.release(job_id, attempt)
            if released and message_lost:
                self._jobs.mark_unpublished(job_id)
            return released
        except errors.Unavailable as error:
            log.warning("the job could not be released; its lease will expire: %s", error)
            return False
