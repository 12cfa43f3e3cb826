"""Run the job that a message names, and write its outcome; the message carries only the id."""

import logging
from collections.abc import Callable
from dataclasses import dataclass

from app import errors
from app.amqp.message import IncomingMessage, reject_with_error
from app.backoff import RetryUntilAvailable
from app.jobs.attempt import Claimed, JobAttempts
from app.jobs.lease import LeaseKeeper
from app.jobs.outcomes import Done, Lost, Outcome, Released, outcome_of
from app.jobs.record import Job
from app.observability import logs
from app.protocol.types import JobKind

log = logging.getLogger(__name__)

Beat = Callable[[], None]
Work = Callable[[Claimed, Beat], Done]


@dataclass(frozen=True)
class ClaimedWork:
    """Claims jobs of one `kind` for a thread, and runs them."""

    kind: JobKind
    attempts: JobAttempts
    leases: LeaseKeeper
    retry: RetryUntilAvailable

    def run(
        self, message: IncomingMessage, work: Work, on_lost: Callable[[], None] = lambda: None
    ) -> tuple[Claimed, Done] | None:
        """Run a message's job by `work`; return it and its result if that was written.

        The `Beat` that `work` gets raises an error if the attempt has to end. `on_lost` is called
        by another thread when the attempt has lost its job.
        """
        job_id = message.message_id
        if not job_id:
            reject_with_error(message, errors.Invalid("message_id", "it names no job"))
            return None
        with logs.job_context(job_id):
            try:
                claim = self.attempts.claim(job_id, self._check)
                if isinstance(claim, Claimed):
                    return self._run(message, claim, work, on_lost)
                if claim is None:  # as of a part that was deleted with its job's files
                    log.info("message dropped: there is no job of this id")
            except errors.ShuttingDown:
                message.requeue()
            except errors.Invalid as error:
                reject_with_error(message, error)
        return None

    def _check(self, job: Job) -> None:
        if job.kind is not self.kind:
            raise errors.Invalid("message_id", f"job {job.id} is of another kind")

    def _run(
        self, message: IncomingMessage, claimed: Claimed, work: Work, on_lost: Callable[[], None]
    ) -> tuple[Claimed, Done] | None:
        job_id, attempt = claimed.job.id, claimed.attempt
        outcome: Outcome
        with (
            self.attempts.logged(log, claimed, self.kind) as task,
            self.leases.hold(job_id, attempt, on_lost) as lease,
        ):

            def beat() -> None:
                lease.raise_if_lost()
                self.retry.raise_if_stopping()

            try:
                done = outcome = work(claimed, beat)
            except Exception as error:
                if not isinstance(error, errors.WarrenError):
                    log.exception("attempt %d failed", attempt)
                outcome = Lost() if lease.lost else outcome_of(error)
                if isinstance(outcome, Released):
                    message.requeue()
                    outcome = Released(message_lost=not message.alive)
                self.attempts.conclude(claimed, outcome)
                task.status = type(outcome).__name__
                return None
            applied = self.attempts.conclude(claimed, outcome)
            task.status = type(outcome).__name__
        return (claimed, done) if applied else None
