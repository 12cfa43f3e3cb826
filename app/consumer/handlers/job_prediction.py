"""Run a prediction job: read the inputs from its row, and call the model."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple
from weakref import WeakValueDictionary

from app import errors
from app.amqp.topology import MAX_MESSAGE_BYTES
from app.backoff import RetryUntilAvailable
from app.concurrency import offload_if_large, run_in_pool
from app.consumer.handlers.byte_budget import ByteBudget
from app.consumer.handlers.joint_runs import prediction_reply
from app.inference.cache import ModelCache
from app.inference.predictor import Predictor
from app.jobs.store import JobStore
from app.models.endpoint import EndpointSpec
from app.models.record import ModelRecord
from app.protocol.replies import Failed
from app.protocol.requests import PredictionInputs
from app.protocol.validation import parse_request
from app.protocol.wire_errors import error_from_wire
from app.remote.client import RemoteModelClient

HELD_BYTES = 32_000_000  # of inputs of jobs in flight; the inputs of others stay in their rows
ISOLATED_THREADS = 4  # isolated models that run at a time for jobs


class _Row(NamedTuple):
    """What the row of a job holds: whether a consumer was lost, the inputs, and the model.

    A job that is `suspect` may have ended its consumer.
    """

    lost: bool
    suspect: bool
    text: str
    model: ModelRecord


@dataclass(eq=False)
class HeldJob:
    """A job in flight; `work` predicts once the job is claimed.

    If `sent`, a call to a non-idempotent endpoint may have begun. If `stopped`, the consumer is
    ending. If `redelivered`, its message was.
    """

    redelivered: bool = False
    work: asyncio.Task[dict[str, Any]] | None = None
    sent: bool = False
    stopped: bool = False

    def cancel(self) -> None:
        """Cancel the work, if it has begun."""
        if self.work:
            self.work.cancel()


class JobPrediction:
    """Calls models of every kind; at most `threads` models run in this process at a time.

    Isolated models run on other threads, the jobs of each in turn. A job that may have ended a
    consumer is answered by an isolated process. It belongs to one event loop.
    """

    def __init__(
        self,
        jobs: JobStore,
        find: Callable[[str], ModelRecord],
        cache: ModelCache,
        remote: RemoteModelClient,
        retry: RetryUntilAvailable,
        threads: int = 1,
        held_bytes: int = HELD_BYTES,
    ) -> None:
        """Create the threads that run models. Inputs take at most `held_bytes`; others wait."""
        self._jobs = jobs
        self._find = find
        self._cache = cache
        self._remote = remote
        self._retry = retry
        self._threads = ThreadPoolExecutor(threads, "predict-async-model")
        self._isolated = ThreadPoolExecutor(ISOLATED_THREADS, "predict-async-isolated")
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._budget = ByteBudget(held_bytes)

    def close(self) -> None:
        """End the threads, without waiting for a model that runs."""
        for threads in (self._threads, self._isolated):
            threads.shutdown(wait=False, cancel_futures=True)

    async def predict(
        self, held: HeldJob, job_id: str, model_id: str, database: ThreadPoolExecutor
    ) -> dict[str, Any]:
        """Return the fields of the answer; threads of `database` read the row.

        Raises `errors.Fenced` for a job without inputs, because it has ended; `EndpointFailed` if a
        consumer was lost during a call that must not be repeated; and what the model raises.
        """
        read = partial(run_in_pool, database, partial(self._read, job_id, model_id))
        row = await read()
        size = len(row.text)
        if not self._budget.take_now(size):
            del row  # it would be held while this job waits
            await self._budget.take(size)
            try:
                row = await read()
            except BaseException:
                self._budget.give(size)
                raise
        try:
            return await self._call(held, model_id, row)
        finally:
            self._budget.give(size)

    async def _call(self, held: HeldJob, model_id: str, row: _Row) -> dict[str, Any]:
        """Call a model with the inputs of a row."""
        if isinstance(spec := row.model.spec, EndpointSpec):
            if row.lost and not spec.idempotent:
                raise errors.EndpointFailed(
                    "a consumer was lost during the call: it may have been carried out"
                )
            size = len(row.text)
            inputs = await offload_if_large(size, partial(_parsed, row.text))
            held.sent = not spec.idempotent
            return await self._remote.predict(
                model_id, spec, inputs, spec.seconds, size=size, background=True
            )
        isolated = row.suspect or held.redelivered
        model = await self._load(model_id, isolated=isolated)
        if not model.isolated:
            return await run_in_pool(self._threads, partial(_predicted, model, row.text))
        async with self._turns.setdefault(model_id, asyncio.Lock()):
            if not model.alive:  # the job before has ended its process
                model = await self._load(model_id, isolated=isolated)
            return await run_in_pool(self._isolated, partial(_predicted, model, row.text))

    async def _load(self, model_id: str, *, isolated: bool) -> Predictor:
        """Return a loaded model; shielded, because other callers may wait for the same load."""
        loading = self._cache.get(model_id, isolated)
        return await asyncio.shield(asyncio.wrap_future(loading))

    def _read(self, job_id: str, model_id: str) -> _Row:
        """Return what the row of a job holds. Raises `errors.Fenced` if the job has ended."""
        job = self._retry(lambda: self._jobs.get(job_id))
        text = self._retry(lambda: self._jobs.inputs(job_id))
        if job is None or text is None:
            raise errors.Fenced
        model = self._retry(lambda: self._find(model_id))
        lost = (job.error or {}).get("type") == errors.ConsumerLost.type
        return _Row(lost, lost or job.losses > 0, text, model)


def _parsed(text: str) -> PredictionInputs:
    return parse_request(PredictionInputs, text.encode())


def _predicted(model: Predictor, text: str) -> dict[str, Any]:
    """Return the fields of a model's answer. Raises `errors.Invalid` or `TooLarge`."""
    inputs = _parsed(text)
    answered = prediction_reply(inputs, model.predict(model.prepare(inputs)), model.model_id)
    if isinstance(answered, Failed):
        raise error_from_wire(answered.error)
    if (size := len(answered.encode())) > MAX_MESSAGE_BYTES:  # as much as a reply may have
        raise errors.TooLarge(None, f"the answer has {size} bytes: ask for fewer rows at a time")
    return answered.members()
