"""What is done with a message of `queue.model.train`."""

import logging
import uuid
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from app import errors
from app.amqp.message import IncomingMessage, parse_or_reject, reject_with_error
from app.jobs import retry_policy
from app.jobs.claim import claim_job, reply_with_end
from app.jobs.lease import Lease
from app.jobs.store import JobStore
from app.observability import logs
from app.protocol.replies import Reply
from app.protocol.requests import TrainRequest
from app.protocol.types import JobStatus
from app.retry import RetryUntilAvailable
from app.storage.client import Storage
from app.training.fit_process import FitLimits, FitRunner

logger = logging.getLogger(__name__)

KEEP_SECONDS = 60.0  # how long a fitted model waits for S3 before its fit is thrown away


@dataclass(frozen=True)
class TrainHandler:
    """The handler of `queue.model.train`.

    What the database refuses for now is asked again, `patiently`. `worker` is the name that a job's
    row shows; no other may have it.
    """

    jobs: JobStore
    storage: Storage
    trainer: FitRunner
    limits: FitLimits
    worker: str
    patiently: RetryUntilAvailable

    def __call__(self, deliveries: list[IncomingMessage]) -> None:
        """Claim each message's job, fit, store the model, publish it in the row, reply."""
        for delivery in deliveries:
            request = parse_or_reject(delivery, TrainRequest)
            job_id = request.model_id or _id_of(delivery) if request else delivery.message_id
            if not job_id:
                continue
            with logs.job_context(job_id):
                try:
                    if request is None:
                        self._refuse(job_id)
                    else:
                        self._train(delivery, request, job_id)
                except errors.ShuttingDown:
                    logger.info("handed back")
                    delivery.requeue()
                except (errors.Invalid, errors.TooLarge) as error:
                    reject_with_error(delivery, error)
                    self._refuse(job_id)
                except Exception:
                    self._refuse(job_id)
                    raise

    def _refuse(self, job_id: str) -> None:
        """Count a failure for a queued job whose message came to nothing, lest it come for ever."""
        wire = errors.Invalid(None, "the job's message was rejected; it is a dead letter").to_wire()
        # Then it is published, and rejected, again; or the database has no row of such a name.
        with suppress(errors.Unavailable, errors.Invalid):
            self.jobs.refuse(job_id, wire, retry_policy.retry_delay(1))

    def _train(self, delivery: IncomingMessage, request: TrainRequest, job_id: str) -> None:
        claimed = claim_job(self.jobs, self.worker, self.patiently, delivery, request, job_id)
        if claimed is None:
            return
        request, attempt = claimed
        with logs.log_task(logger, job_id, f"train model={job_id} attempt={attempt}") as task:
            logger.info("attempt %d: %s on %s", attempt, request.estimator, request.dataset_id)
            mine = self._concluded(delivery, request, job_id, attempt)
            job = self.patiently(lambda: self.jobs.get(job_id))
            reply_with_end(delivery, job)
            if not mine:
                cause = "cancelled" if job and job.state is JobStatus.CANCELLED else "fenced"
                logger.warning("%s: attempt %d has the job no longer", cause, attempt)
            task.status = job.state if job else JobStatus.ERROR
        ended = job is not None and job.ended
        published = job.attempt if job and job.result_key else None
        for each in range(1 if ended else attempt, attempt + 1):
            if each != published and (ended or not mine):
                self._sweep(job_id, each)

    def _concluded(
        self, delivery: IncomingMessage, request: TrainRequest, job_id: str, attempt: int
    ) -> bool:
        """Run an attempt and write how it ended; False when the job was no longer its own."""
        try:
            with Lease(self.jobs, job_id, attempt) as lease:
                return self._attempt(delivery, request, job_id, attempt, lease)
        except errors.ShuttingDown:
            with suppress(errors.Unavailable):  # else its lease ends, or a redelivery takes it over
                if self.jobs.release(job_id, attempt) and not delivery.session.alive:
                    self.jobs.mark_unpublished(
                        job_id
                    )  # its message may have been dropped as a duplicate
            raise
        except errors.Fenced:
            return False
        except errors.Unavailable as error:
            return self._retry(job_id, attempt, error)
        except OSError as error:  # a full disk, say: the next attempt may run where there is room
            logger.exception("attempt %d failed", attempt)
            refused = errors.Unavailable(f"the consumer's system refused: {error.strerror}")
            return self._retry(job_id, attempt, refused)
        except errors.WarrenError as error:
            return self._fail(job_id, attempt, error)
        except Exception:
            # A bug: the row must not say for ever that it runs.
            self._fail(job_id, attempt, errors.WarrenError())
            raise

    def _attempt(
        self,
        delivery: IncomingMessage,
        request: TrainRequest,
        job_id: str,
        attempt: int,
        lease: Lease,
    ) -> bool:
        """Run one attempt and publish its result. Raises what it ends with otherwise."""

        def arrived(_: int) -> None:
            lease.check()
            self.patiently.check()

        def fetch(path: Path) -> None:
            self.storage.get_dataset(request.dataset_id, str(path), arrived)

        def checked() -> None:
            delivery.reply(Reply(JobStatus.RECEIVED, job_id))

        limits = FitLimits(
            min(request.max_seconds or self.limits.seconds, self.limits.seconds),
            min(request.max_memory or self.limits.memory, self.limits.memory),
        )
        with TemporaryDirectory(prefix="warren-") as folder:
            manifest, onnx = self.trainer.fit(
                request, job_id, Path(folder), limits, fetch, checked, lease.check
            )
        key, sha256 = self.patiently(
            lambda: self.storage.put_model(attempt, manifest, onnx), KEEP_SECONDS
        )
        metrics = manifest.metrics
        published = self.patiently(
            lambda: self.jobs.complete_training(job_id, attempt, key, sha256, metrics)
        )
        if published:
            logger.info("attempt %d: published as %s", attempt, key)
        return published

    def _retry(self, job_id: str, attempt: int, error: errors.WarrenError) -> bool:
        logger.warning("attempt %d failed: %s", attempt, error)
        job = self.patiently(lambda: self.jobs.get(job_id))
        delay = retry_policy.retry_delay(job.failures + 1 if job else 1)
        wire = error.to_wire()
        applied = self.patiently(lambda: self.jobs.retry(job_id, attempt, wire, delay))
        if applied:
            logger.warning("retry in %.1f s, unless that was the last", delay)
        return applied

    def _fail(self, job_id: str, attempt: int, error: errors.WarrenError) -> bool:
        wire = error.to_wire()
        return self.patiently(lambda: self.jobs.fail(job_id, attempt, wire))

    def _sweep(self, job_id: str, attempt: int) -> None:
        """Remove what an attempt has stored that nobody will ever read."""
        try:
            self.storage.delete_model(job_id, attempt)
        except errors.WarrenError as error:
            logger.warning("files of attempt %d are left behind: %s", attempt, error)


def _id_of(delivery: IncomingMessage) -> str:
    """Name the job of a client that named none; a redelivery of its message gets the same name."""
    asked = f"{delivery.reply_to}\n{delivery.correlation_id}\n{delivery.body!r}"
    return uuid.uuid5(uuid.NAMESPACE_OID, asked).hex
