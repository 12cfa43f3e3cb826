"""What is done with a message of `queue.model.predict.async`: a prediction that is a job.

The message only says which; the row says what is asked, and gets the answer. A job is claimed and
its lease renewed like that of a training, but many are in hand at a time: all of them are renewed
by one statement. What blocks is done by threads: the database, and models that are answered here.
"""

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from time import perf_counter
from typing import Any, Self, TypeGuard, TypeVar

from pydantic import TypeAdapter, ValidationError

from app import errors
from app.amqp.async_message import AsyncMessage
from app.amqp.message import reject_with_error
from app.concurrency import run_in_pool
from app.consumer.handlers.async_prediction import AsyncPrediction, HeldJob
from app.inference.cache import ModelCache
from app.jobs import retry_policy
from app.jobs.record import Job
from app.jobs.store import JobStore
from app.models.latest import FindModel
from app.observability import logs
from app.protocol.replies import Reply
from app.protocol.types import Id, JobStatus
from app.remote.client import RemoteModelClient
from app.retry import RetryUntilAvailable

logger = logging.getLogger(__name__)

RENEW_SECONDS = 1.0
DATABASE_THREADS = 8

_ID: TypeAdapter[str] = TypeAdapter(Id)

T = TypeVar("T")


class AsyncPredictHandler:
    """The handler of `queue.model.predict.async`; an async context manager, of one event loop.

    `worker` is the name that the rows show; no other may have it. What the database refuses for now
    is asked again, `patiently`. As many models as `threads` are run here at a time.
    """

    def __init__(
        self,
        jobs: JobStore,
        worker: str,
        find: FindModel,
        cache: ModelCache,
        endpoints: RemoteModelClient,
        patiently: RetryUntilAvailable,
        threads: int = 1,
    ) -> None:
        """Nothing is in hand."""
        self._jobs = jobs
        self._worker = worker
        self._patiently = patiently
        self._held: dict[str, HeldJob] = {}
        self._database = ThreadPoolExecutor(DATABASE_THREADS, "answer-database")
        self._lease = ThreadPoolExecutor(1, "answer-lease")  # which waits behind nobody
        self._asker = AsyncPrediction(
            jobs, find, cache, endpoints, patiently, self._database, threads
        )

    async def __aenter__(self) -> Self:
        self._renewing = asyncio.create_task(self._renew())
        return self

    async def __aexit__(self, *exception: object) -> None:
        self._renewing.cancel()
        await asyncio.wait([self._renewing])
        for pool in (self._database, self._lease, self._asker.threads):
            pool.shutdown(wait=False, cancel_futures=True)

    async def __call__(self, call: AsyncMessage) -> None:
        """Claim the message's job, answer it, write the answer into its row, reply.

        Who is cancelled hands the job back, unless the model may have begun and must not do it
        twice.
        """
        job_id = call.message_id
        if not _is_id(job_id):
            reject_with_error(call, errors.Invalid("message_id", "it names no job"))
            return
        with logs.job_context(job_id):
            if job_id in self._held:
                logger.info("duplicate dropped: it is in hand")
                return
            held = self._held[job_id] = HeldJob()
            try:
                if claimed := await self._unbroken(held, partial(self._claim, job_id)):
                    await self._attempt(call, held, *claimed)
            except errors.ShuttingDown:
                call.requeue()
            except (errors.NotFound, errors.Invalid) as error:
                reject_with_error(call, error)
            finally:
                del self._held[job_id]

    def _claim(self, job_id: str) -> tuple[Job, int] | None:
        """Return the job and the number of the attempt; None when there is nothing to be done.

        Raises `errors.NotFound`, and `Invalid` when no job could be called so.
        """
        job = self._patiently(lambda: self._jobs.get(job_id))
        if job is None or job.kind != "predict":
            raise errors.NotFound("message_id", f"no job {job_id} predicts")
        if job.ended:
            logger.info("duplicate dropped: %s in attempt %d", job.state, job.attempt)
            return None
        attempt = self._patiently(lambda: self._jobs.claim(job_id, self._worker, redelivered=False))
        if attempt is None:  # if its consumer is dead, its lease ends, and it is queued again
            logger.info("duplicate dropped: attempt %d runs on %s", job.attempt, job.worker)
            return None
        return job, attempt

    async def _attempt(self, call: AsyncMessage, held: HeldJob, job: Job, attempt: int) -> None:
        model_id = str(job.request["model_id"])
        with logs.log_task(logger, job.id, f"async model={model_id} attempt={attempt}") as task:
            told = await self._concluded(held, job.id, attempt, model_id)
            task.status = told.status
            if told.status is not JobStatus.QUEUED:
                call.reply(told)

    async def _concluded(self, held: HeldJob, job_id: str, attempt: int, model_id: str) -> Reply:
        """Run an attempt and write how it ended; return what is to be told of it.

        Raises `errors.ShuttingDown` for a job that was handed back.
        """
        begun = perf_counter()
        of = (job_id, attempt)
        try:
            fields = await self._outcome(held, job_id, model_id)
            elapsed = round((perf_counter() - begun) * 1000, 1)
            result = {"pred_proba": None, **fields, "model_id": model_id, "elapsed_ms": elapsed}
            write = partial(self._jobs.complete_prediction, *of, result)
            told = Reply(JobStatus.COMPLETED, model_id, fields)
        except errors.ShuttingDown:
            with suppress(errors.Unavailable):  # else its lease ends
                await self._unbroken(held, partial(self._jobs.release, *of))
            raise
        except errors.Fenced:
            logger.warning("attempt %d has the job no longer", attempt)
            return Reply(JobStatus.CANCELLED, model_id)
        except errors.WarrenError as error:
            logger.warning("attempt %d failed: %s", attempt, error)
            wire = error.to_wire()
            again = isinstance(error, errors.Unavailable) and not (
                held.sent and _may_have_begun(error)
            )
            write = partial(self._again if again else self._jobs.fail, *of, wire)
            told = Reply(JobStatus.QUEUED, model_id) if again else Reply.error(error, model_id)
        except Exception:  # a bug: the row must not say for ever that it runs
            logger.exception("attempt %d failed", attempt)
            bug = errors.WarrenError()
            write = partial(self._jobs.fail, *of, bug.to_wire())
            told = Reply.error(bug, model_id)
        if not await self._unbroken(held, partial(self._patiently, write)):
            logger.warning("attempt %d has the job no longer", attempt)
            return Reply(JobStatus.CANCELLED, model_id)
        return told

    def _again(self, job_id: str, attempt: int, error: dict[str, Any]) -> bool:
        job = self._jobs.get(job_id)
        return self._jobs.retry(
            job_id, attempt, error, retry_policy.retry_delay(job.failures + 1 if job else 1)
        )

    async def _outcome(self, held: HeldJob, job_id: str, model_id: str) -> dict[str, Any]:
        """Let the work be done. Raises `errors.ShuttingDown`, `Fenced`, or what the work does."""
        if held.stopped:
            raise errors.ShuttingDown
        held.work = asyncio.create_task(self._asker.ask(held, job_id, model_id))
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

    async def _renew(self) -> None:
        """Renew all leases, again and again; end the work on what is no longer ours."""
        while True:
            await asyncio.sleep(RENEW_SECONDS)
            claimed = {job_id: held for job_id, held in self._held.items() if held.work}
            if not claimed:
                continue
            try:
                kept = await run_in_pool(
                    self._lease, partial(self._jobs.renew_all, self._worker, list(claimed))
                )
            except errors.Unavailable as error:  # nobody can have taken them meanwhile
                logger.warning("the leases could not be renewed: %s", error)
                continue
            except Exception:  # a bug must not end the task that all jobs count on
                logger.exception("the leases could not be renewed")
                continue
            for job_id in claimed.keys() - kept:
                if work := claimed[job_id].work:
                    work.cancel()  # unless it is done, and the row shows it

    async def _unbroken(self, held: HeldJob, call: Callable[[], T]) -> T:
        """Ask the database; who is cancelled gets the answer first, and is `stopped`."""
        asked = asyncio.ensure_future(run_in_pool(self._database, call))
        while not asked.done():
            try:
                await asyncio.wait([asked])
            except asyncio.CancelledError:
                held.stopped = True
        return asked.result()


def _may_have_begun(error: errors.Unavailable) -> bool:
    """Tell whether a call that ended like this may have been carried out."""
    certain = isinstance(error, errors.EndpointUnavailable | errors.Overloaded)
    return not certain or bool(error.extra.get("may_have_begun"))


def _is_id(text: str | None) -> TypeGuard[str]:
    """Tell whether a job may be called so."""
    try:
        _ID.validate_python(text)
    except ValidationError:
        return False
    return True
