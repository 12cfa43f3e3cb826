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
from app.jobs import retry_policy
from app.jobs.record import Job
from app.jobs.store import JobStore
from app.protocol.types import JobStatus

log = logging.getLogger(__name__)

WATCH_SECONDS = 0.25  # between two reads of the lease of a redelivered job


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


Outcome = TrainingDone | PredictionDone | Retryable | AttemptFailed | Released | Lost


def outcome_of(error: Exception, *, may_have_run: bool = False) -> Outcome:
    """Return what an error means for the job.

    If `may_have_run`, the work may already be done and must not be repeated.
    """
    match error:
        case errors.ShuttingDown():
            return Released()
        case errors.Fenced():
            return Lost()
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
        watch_seconds: float = WATCH_SECONDS,
        retry_delay: Callable[[int], float] = retry_policy.retry_delay,
    ) -> None:
        """Create the attempts of `worker`.

        `retry_delay` maps a number of failures to the seconds until the next attempt.
        `watch_seconds` is the time between two reads of the lease of a redelivered job.
        """
        self._jobs = jobs
        self._worker = worker
        self._retry = retry
        self._watch_seconds = watch_seconds
        self._retry_delay = retry_delay
        self._looks = round(jobs.suspect_seconds / watch_seconds)

    def claim(
        self, job_id: str, check: Callable[[Job], None], *, redelivered: bool = False
    ) -> Claimed | AlreadyEnded | RunsElsewhere | None:
        """Claim a job; return None if there is no row of that id.

        `check` raises if the message asks for a different job. If a `redelivered` message finds its
        job running, this method watches the lease. If the lease is renewed, the message is a
        duplicate. If not, the job's consumer is dead, and this attempt takes over the job.
        """
        seen: Job | None = None
        looks = 0
        while True:
            job = self.job(job_id)
            if job is None:
                return None
            check(job)
            if job.ended:
                log.info("duplicate dropped: %s in attempt %d", job.state, job.attempt)
                return AlreadyEnded(job)
            dead = redelivered and looks >= self._looks
            claim = partial(self._jobs.claim, job_id, self._worker, redelivered=dead)
            attempt = self._retry(claim)
            running = job.state is JobStatus.RUNNING
            if attempt is not None:
                if running and job.worker != self._worker:
                    log.warning("taken over from %s", job.worker)
                return Claimed(job, attempt)
            if running and (not redelivered or (seen and _renewed(seen, job))):
                log.info("duplicate dropped: attempt %d runs on %s", job.attempt, job.worker)
                return RunsElsewhere(job)
            if running:
                seen, looks = seen or job, looks + 1
                self._retry.wait(self._watch_seconds)

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


def _renewed(before: Job, after: Job) -> bool:
    return (before.attempt, before.lease_until) != (after.attempt, after.lease_until)
