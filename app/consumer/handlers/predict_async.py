"""The handler of `queue.model.predict.async`: run prediction jobs.

The message carries only the job's id. The row holds the inputs, and gets the answer. One event loop
handles many jobs at a time. Threads query the database and run the models of this process.
"""

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from time import perf_counter
from typing import Any, ClassVar, Self, TypeGuard, TypeVar

from pydantic import TypeAdapter, ValidationError

from app import errors
from app.amqp.message import IncomingMessage, reject_with_error
from app.amqp.topology import PREDICT_ASYNC_QUEUE
from app.auth.names import shown
from app.concurrency import run_in_pool
from app.consumer.handlers.job_prediction import HeldJob, JobPrediction
from app.jobs.attempt import Claimed, JobAttempts
from app.jobs.lease import LeaseKeeper
from app.jobs.outcomes import (
    AttemptFailed,
    Outcome,
    PredictionDone,
    Released,
    Retryable,
    outcome_of,
)
from app.jobs.record import Job
from app.observability import logs, tracing
from app.protocol import replies
from app.protocol.replies import Reply
from app.protocol.types import JobKind, JobStatus, QualifiedId

log = logging.getLogger(__name__)

DATABASE_THREADS = 8

_ID: TypeAdapter[str] = TypeAdapter(QualifiedId)

T = TypeVar("T")


class AsyncPredictHandler:
    """Runs prediction jobs. It is an async context manager and belongs to one event loop."""

    queue: ClassVar[str] = PREDICT_ASYNC_QUEUE
    prefetch: ClassVar[int] = 100  # jobs in flight

    def __init__(
        self, attempts: JobAttempts, leases: LeaseKeeper, prediction: JobPrediction
    ) -> None:
        """Create the handler without any job."""
        self._attempts = attempts
        self._leases = leases
        self._prediction = prediction
        self._held: dict[str, HeldJob] = {}
        self._database = ThreadPoolExecutor(DATABASE_THREADS, "predict-async-database")

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exception: object) -> None:
        self._database.shutdown(wait=False, cancel_futures=True)
        self._prediction.close()

    async def __call__(self, message: IncomingMessage) -> None:
        """Run the message's job to its end, and reply.

        On cancellation, release the job, unless a non-idempotent call may have begun.
        """
        job_id = message.message_id
        if not _is_id(job_id):
            reject_with_error(message, errors.Invalid("message_id", "it names no job"))
            return
        with logs.job_context(job_id):
            if job_id in self._held:
                log.info("duplicate dropped: the job is in flight")
                return
            held = self._held[job_id] = HeldJob(redelivered=message.redelivered)
            try:
                match await self._uninterrupted(
                    held, partial(self._attempts.claim, job_id, _check_predicts)
                ):
                    case Claimed() as claimed:
                        await self._run(message, held, claimed)
                    case None:
                        raise _no_prediction(job_id)
            except errors.ShuttingDown:
                message.requeue()
            except (errors.NotFound, errors.Invalid) as error:
                reject_with_error(message, error)
            finally:
                del self._held[job_id]

    async def _run(self, message: IncomingMessage, held: HeldJob, claimed: Claimed) -> None:
        model_id = str(claimed.job.request["model_id"])
        what = f"async model={model_id} attempt={claimed.attempt}"
        tracing.annotate({"warren.job.id": claimed.job.id, "warren.job.attempt": claimed.attempt})
        with logs.log_task(log, claimed.job.id, what) as task:
            reply = await self._conclude(held, claimed, model_id)
            task.status = reply.status
            if reply.status is not JobStatus.QUEUED:
                message.reply(reply)

    async def _conclude(self, held: HeldJob, claimed: Claimed, model_id: str) -> Reply:
        """Predict, and write the outcome; return the reply about it.

        Raises `errors.ShuttingDown` for a job that was released.
        """
        begun, loop = perf_counter(), asyncio.get_running_loop()
        outcome: Outcome
        reply: Reply

        def lost() -> None:
            loop.call_soon_threadsafe(held.cancel)

        with self._leases.hold(claimed.job.id, claimed.attempt, lost):
            try:
                fields = await self._predict(held, claimed.job.id, model_id)
                elapsed = round((perf_counter() - begun) * 1000, 1)
                told = {"pred_proba": None, **fields, "elapsed_ms": elapsed}
                told["model_id"] = shown(claimed.job.owner, model_id)  # only this owner sees it
                outcome, reply = PredictionDone(told), replies.Predicted(model_id, **fields)
            except errors.ShuttingDown:
                await self._uninterrupted(
                    held, partial(self._attempts.conclude, claimed, Released())
                )
                raise
            except Exception as error:
                if not isinstance(error, errors.WarrenError):
                    log.exception("attempt %d failed", claimed.attempt)
                outcome = outcome_of(error, may_have_run=held.sent and _may_have_begun(error))
                reply = _reply_about(outcome, model_id)
            conclude = partial(self._attempts.conclude, claimed, outcome)
            applied = await self._uninterrupted(held, conclude)
        return reply if applied else replies.Cancelled(model_id)

    async def _predict(self, held: HeldJob, job_id: str, model_id: str) -> dict[str, Any]:
        """Return the prediction's fields.

        Raises `errors.ShuttingDown` on cancellation, `Fenced` when the lease is lost, or what the
        model raises.
        """
        if held.stopped:
            raise errors.ShuttingDown
        held.work = asyncio.create_task(
            self._prediction.predict(held, job_id, model_id, self._database)
        )
        try:
            await asyncio.wait([held.work])
        except asyncio.CancelledError:
            held.stopped = True
            held.work.cancel()
            await asyncio.wait([held.work])
        if not held.work.cancelled():
            return held.work.result()
        if not held.stopped:
            raise errors.Fenced
        if held.sent:
            raise errors.EndpointFailed(
                "the consumer ended during the call: it may have been carried out"
            )
        raise errors.ShuttingDown

    async def _uninterrupted(self, held: HeldJob, call: Callable[[], T]) -> T:
        """Run a call in a thread to its end; a cancellation meanwhile sets `held.stopped`."""
        asked = asyncio.ensure_future(run_in_pool(self._database, call))
        while not asked.done():
            try:
                await asyncio.wait([asked])
            except asyncio.CancelledError:
                held.stopped = True
        return asked.result()


def _reply_about(outcome: Outcome, model_id: str) -> Reply:
    """Return the reply about an attempt that did not succeed."""
    match outcome:
        case AttemptFailed(error):
            return replies.Failed.of(error, model_id)
        case Retryable():
            return Reply(JobStatus.QUEUED, model_id)
    return replies.Cancelled(model_id)


def _check_predicts(job: Job) -> None:
    if job.kind is not JobKind.PREDICT:
        raise _no_prediction(job.id)


def _no_prediction(job_id: str) -> errors.NotFound:
    return errors.NotFound("message_id", f"no job {job_id} predicts")


def _may_have_begun(error: Exception) -> bool:
    """Tell whether a remote call that ended like this may have been carried out."""
    if not isinstance(error, errors.EndpointUnavailable | errors.Overloaded):
        return True
    return bool(error.extra.get("may_have_begun"))


def _is_id(text: str | None) -> TypeGuard[str]:
    """Tell whether a text can be the id of a job."""
    try:
        _ID.validate_python(text)
    except ValidationError:
        return False
    return True
