"""One attempt of a job: claim it, run it, conclude it.

Every step is a compare-and-set on the job's id and the attempt's number, which is a fencing token.
A late step changes no row. Handlers run the attempt; this module knows no AMQP and no event loop.
"""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from time import monotonic

from app import errors
from app.backoff import RetryUntilAvailable
from app.jobs import parts, retry_policy, shares
from app.jobs.counted import outcome_name, reason_of
from app.jobs.job_log import LoggedAttempt
from app.jobs.log_writer import JobLogWriter
from app.jobs.outcomes import (
    AttemptFailed,
    BatchDone,
    Done,
    Interrupted,
    Lost,
    Outcome,
    PartDone,
    PartsMade,
    PredictionDone,
    Released,
    Retryable,
    TrainingDone,
)
from app.jobs.record import Job
from app.jobs.store import JobStore
from app.observability import logs, tracing
from app.observability.metrics import catalogue
from app.protocol.types import JobKind, JobStatus

log = logging.getLogger(__name__)

GIVE_WAY_SECONDS = 2.0  # after which a training that gave way is delivered again


@dataclass(frozen=True)
class Claimed:
    """The attempt holds the job, since a time of `time.monotonic`."""

    job: Job
    attempt: int
    since: float = field(default_factory=monotonic, compare=False)


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
        log_writer: JobLogWriter | None = None,
    ) -> None:
        """Attempt jobs as `worker`; `retry_delay` maps failures to the seconds until the next.

        The `log_writer` writes the logs of the jobs; without one they have none.
        """
        self._jobs = jobs
        self._worker = worker
        self._retry = retry
        self._retry_delay = retry_delay
        self._log_writer = log_writer

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
                catalogue.RECOVERIES.add("duplicate")
                return AlreadyEnded(job)
            if job.kind is JobKind.TRAIN and job.state is JobStatus.QUEUED and self._give_way(job):
                return GaveWay(job)
            attempt = self._retry(partial(self._jobs.claim, job_id, self._worker))
            if attempt is not None:
                _count_begin(job, attempt)
                # Others may have had the job since it was read, and have changed its row.
                changed = attempt != job.attempt + 1
                return Claimed(self.job(job_id) or job if changed else job, attempt)
            if job.state is JobStatus.RUNNING:
                log.info("duplicate dropped: attempt %d runs on %s", job.attempt, job.worker)
                catalogue.RECOVERIES.add("duplicate")
                return RunsElsewhere(job)

    @contextmanager
    def logged(
        self, logger: logging.Logger, claimed: Claimed, what: str
    ) -> Iterator[logs.LoggedTask]:
        """Log START and END of this block, which is the attempt, and write its lines.

        `what` names the task as in `logs.log_task`. A part writes into the log of its batch job.
        """
        job, attempt = claimed.job, claimed.attempt
        tracing.annotate({"warren.job.id": job.id, "warren.job.attempt": attempt})
        of = LoggedAttempt(job.parent or job.id, attempt, self._worker, job.part)
        kept = self._log_writer.kept(of) if self._log_writer else nullcontext()
        with kept, logs.log_task(logger, job.id, f"{what} attempt={attempt}") as task:
            yield task

    def conclude(self, claimed: Claimed, outcome: Outcome) -> bool:
        """Write the outcome into the row; return False if the attempt has lost its job."""
        applied = self._conclude(claimed, outcome)
        kind, name = claimed.job.kind, outcome_name(outcome, applied=applied)
        catalogue.ATTEMPT.observe(monotonic() - claimed.since, kind.value, name)
        return applied

    def _conclude(self, claimed: Claimed, outcome: Outcome) -> bool:
        of = (claimed.job.id, claimed.attempt)
        match outcome:
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
            case _:
                applied = self._retry(lambda: self._complete(claimed, outcome))
        if not applied:
            job = self.job(claimed.job.id)
            cause = "cancelled" if job and job.state is JobStatus.CANCELLED else "fenced"
            if cause == "fenced":
                catalogue.RECOVERIES.add(cause)
            log.warning("%s: attempt %d no longer has the job", cause, claimed.attempt)
        return applied

    def _complete(self, claimed: Claimed, outcome: Done) -> bool:
        """Write a result into the row; return False if the attempt has lost its job."""
        of, engine = (claimed.job.id, claimed.attempt), self._jobs.engine
        match outcome:
            case TrainingDone(key, sha256, metrics, fit_summary):
                applied = self._jobs.complete_training(*of, key, sha256, metrics, fit_summary)
                if applied:
                    log.info("attempt %d: published as %s", claimed.attempt, key)
                return applied
            case PredictionDone(result):
                return self._jobs.complete_prediction(*of, result)
            case PartsMade(made):
                return parts.begin_parts(engine, *of, made)
            case PartDone(key, result):
                return parts.complete_part(engine, claimed.job, claimed.attempt, key, result)
            case BatchDone(key, sha256, result, size):
                return parts.complete_batch(engine, *of, key, sha256, result, size)

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
            catalogue.RECOVERIES.add("retry")
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


def _count_begin(job: Job, attempt: int) -> None:
    """Count an attempt of a job, whose row was read before."""
    catalogue.ATTEMPTS.add(job.kind.value, reason_of(job, attempt))
    if attempt == 1:
        # By this machine's clock, which is nearly the database's.
        waited = (datetime.now(UTC) - job.created_at).total_seconds()
        catalogue.QUEUE_WAIT.observe(max(0.0, waited), job.kind.value)
