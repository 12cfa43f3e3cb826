"""The handler of `queue.model.train`: fit a model, store it, publish it in the job's row."""

import logging
from dataclasses import dataclass
from typing import ClassVar

from app import errors
from app.amqp.message import IncomingMessage, decode_or_reject, reject_with_error
from app.amqp.topology import TRAIN_QUEUE
from app.auth.grants import Grants
from app.auth.long_fits import check_fit_seconds
from app.auth.names import new_name, owner_of, qualified
from app.backoff import RetryUntilAvailable
from app.consumer.handlers.training_end import reply_with_end
from app.consumer.message_identity import actor_of, identity_of_message, show_names
from app.consumer.message_owner import check_names, may_be_of, owner_of_message, read_training
from app.consumer.training_identity import caller_of, difference, request_key, storable, training_id
from app.consumer.work_folders import work_folder
from app.datasets.pinning import pin_for_attempt, pin_if_possible
from app.datasets.versions import DatasetVersions
from app.jobs.attempt import Claimed, JobAttempts
from app.jobs.lease import HeldLease, LeaseKeeper
from app.jobs.outcomes import Released, TrainingDone, outcome_of
from app.jobs.quotas import JobQuotas
from app.jobs.record import Job
from app.jobs.store import JobStore
from app.observability import logs
from app.protocol.replies import Failed, Reply
from app.protocol.tags import tags_column
from app.protocol.training_request import TrainRequest
from app.protocol.types import JobKind, JobStatus
from app.protocol.validation import validate
from app.storage.model_files import ModelStore
from app.training.fit_process import FitLimits, FitRunner

log = logging.getLogger(__name__)

KEEP_SECONDS = 60.0  # how long a fitted model waits for S3 before the attempt fails


@dataclass(frozen=True)
class TrainHandler:
    """Trains models.

    `default_seconds` limits fits that name no `max_seconds`. The `quotas` are those of trainings
    that clients published; the `grants` tell which data sets of others these may use. A fitted
    model waits for S3 for `keep_seconds`.
    """

    queue: ClassVar[str] = TRAIN_QUEUE
    prefetch: ClassVar[int] = 1
    jobs: JobStore
    attempts: JobAttempts
    leases: LeaseKeeper
    datasets: DatasetVersions
    models: ModelStore
    fits: FitRunner
    limits: FitLimits
    retry: RetryUntilAvailable
    default_seconds: float = float("inf")
    quotas: JobQuotas | None = None
    grants: Grants | None = None
    keep_seconds: float = KEEP_SECONDS

    def __call__(self, messages: list[IncomingMessage]) -> None:
        """Run the job of each message to its end, and reply."""
        for message in messages:
            request = read_training(message) if decode_or_reject(message) else None
            try:
                job_id = self._job_id(message, request)
            except errors.ShuttingDown:
                message.requeue()
                continue
            if job_id:
                with logs.job_context(job_id):
                    self._handle(message, request, job_id)

    def is_fast(self, _: IncomingMessage) -> bool:
        """Leave every training to the worker thread."""
        return False

    def _job_id(self, message: IncomingMessage, request: TrainRequest | None) -> str | None:
        """Return the id of a message's job; of a message that is no request, the one it names."""
        if request is None:  # it must not end the job of another owner
            return named if (named := message.message_id) and may_be_of(message, named) else None
        found = self.retry(lambda: training_id(message, request, self.jobs))
        return qualified(owner_of_message(message), found)

    def _handle(self, message: IncomingMessage, request: TrainRequest | None, job_id: str) -> None:
        try:
            if request is None:
                self.attempts.count_rejection(job_id)
            elif claimed := self._claim(message, request, job_id):
                self._run(message, claimed)
        except errors.ShuttingDown:
            log.info("the message is requeued")
            message.requeue()
        except (errors.Invalid, errors.TooLarge, errors.QuotaExceeded, errors.Forbidden) as error:
            reject_with_error(message, error)
            self.attempts.count_rejection(job_id)
        except Exception:
            self.attempts.count_rejection(job_id)
            raise

    def _claim(
        self, message: IncomingMessage, request: TrainRequest, job_id: str
    ) -> Claimed | None:
        """Claim the job, after its row is written if a client published the message directly."""

        def check(job: Job) -> None:
            if reason := difference(message, request, job):
                raise _Taken("model_id", reason)

        while True:
            try:
                claim = self.attempts.claim(job_id, check)
                if claim is None:
                    self.retry(lambda: self._create(message, request, job_id))
                    continue
                if claim.job.reply_to:  # a client asked, though the relay may have sent this
                    show_names(message, owner_of(job_id))
            except _Taken as error:
                message.reply(Failed.of(error, job_id))
                return None
            if isinstance(claim, Claimed):
                return claim
            reply_with_end(message, claim.job)
            return None

    def _create(self, message: IncomingMessage, request: TrainRequest, job_id: str) -> bool:
        check_names(message, request, job_id, self.grants)
        scopes = identity_of_message(message).scopes
        check_fit_seconds(scopes, request.max_seconds, self.default_seconds, self.limits.seconds)
        encoded = request.encode()  # raises if no message could be published from the row
        try:
            return self.jobs.create(
                job_id,
                JobKind.TRAIN,
                request.dataset_id,
                request.row(),
                named=True,
                model_name=request.name and new_name(owner_of(job_id), request.name, "name"),
                caller=caller_of(message),
                size=len(encoded),
                quotas=self.quotas,
                by=actor_of(message),
                idempotency_key=request_key(message, request),
                dataset_version=pin_if_possible(self.datasets, request),
                tags=tags_column(request.tags),
                reply_to=storable(message.reply_queue),
                correlation_id=storable(message.correlation_id),
            )
        except errors.Conflict as error:  # an id or a name is taken
            raise _Taken(error.extra["field"], error.message) from None

    def _run(self, message: IncomingMessage, claimed: Claimed) -> None:
        job_id, attempt = claimed.job.id, claimed.attempt
        request = validate(TrainRequest, claimed.job.request)
        with self.attempts.logged(log, claimed, f"train model={job_id}") as task:
            name = request.resolved_estimator.name
            log.info("attempt %d: %s on %s", attempt, name, request.dataset_id)
            applied = self._conclude(message, claimed, request)
            job = self.attempts.job(job_id)
            reply_with_end(message, job)
            task.status = job.state if job else JobStatus.ERROR
        self._delete_unpublished(job_id, attempt, job, applied=applied)

    def _conclude(self, message: IncomingMessage, claimed: Claimed, request: TrainRequest) -> bool:
        """Fit, and write the outcome; return False if the attempt has lost its job."""
        with self.leases.hold(claimed.job.id, claimed.attempt) as lease:
            try:
                trained = self._train(message, claimed, request, lease)
                return self.attempts.conclude(claimed, trained)
            except errors.ShuttingDown:
                # The broker may have dropped the message of a lost connection as a duplicate.
                self.attempts.conclude(claimed, Released(message_lost=not message.alive))
                raise
            except (errors.WarrenError, OSError) as error:
                if isinstance(error, OSError):  # perhaps a bug, so where it came from is logged
                    log.exception("attempt %d failed", claimed.attempt)
                return self.attempts.conclude(claimed, outcome_of(error))
            except Exception as error:
                self.attempts.conclude(claimed, outcome_of(error))
                raise

    def _train(
        self, message: IncomingMessage, claimed: Claimed, request: TrainRequest, lease: HeldLease
    ) -> TrainingDone:
        """Fit a model and store its files."""
        job_id, attempt = claimed.job.id, claimed.attempt

        def beat(progress: float | None = None) -> None:
            if progress is not None:
                lease.report(progress)
            lease.raise_if_lost()

        def on_bytes(_: int) -> None:
            lease.raise_if_lost()
            self.retry.raise_if_stopping()

        limits = FitLimits(
            min(request.max_seconds or self.default_seconds, self.limits.seconds),
            min(request.max_memory or self.limits.memory, self.limits.memory),
        )
        try:
            pinned = self.retry(
                lambda: pin_for_attempt(self.datasets, self.jobs, claimed.job, attempt, request),
                self.keep_seconds,
            )
        except errors.NotFound:  # the training was received, and then fails
            message.reply(Reply(JobStatus.RECEIVED, job_id))
            raise
        learnt = request.model_copy(update={"dataset_version": pinned.version})
        with work_folder() as folder:
            manifest, path = self.fits.fit(
                learnt,
                job_id,
                folder,
                limits,
                lambda path: self.datasets.download(pinned, str(path), on_bytes),
                lambda: message.reply(Reply(JobStatus.RECEIVED, job_id)),
                beat,
            )
            key, sha256 = self.retry(
                lambda: self.models.put_trained(attempt, manifest, path), self.keep_seconds
            )
        return TrainingDone(key, sha256, manifest.metrics, manifest.fit_summary)

    def _delete_unpublished(
        self, job_id: str, attempt: int, job: Job | None, *, applied: bool
    ) -> None:
        """Delete the files of attempts that will never be published.

        If the attempt has lost the job, these are its own files. If the job has ended, these are
        the files of all attempts except the published one.
        """
        ended = job is not None and job.ended
        published = job.attempt if job and job.result_key else None
        for each in range(1 if ended else attempt, attempt + 1):
            if each != published and (ended or not applied):
                try:
                    self.models.delete_attempt(job_id, each)
                except errors.WarrenError as error:
                    log.warning("files of attempt %d are left behind: %s", each, error)


class _Taken(errors.Invalid):
    """The id is that of another job or model. The message gets a reply, and is acked."""
