"""Run a prediction job: read the inputs from its row, and call the model."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any

from app import errors
from app.backoff import RetryUntilAvailable
from app.concurrency import run_in_pool
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


@dataclass(eq=False)
class HeldJob:
    """A job in flight; `work` predicts once the job is claimed.

    If `sent`, a call to a non-idempotent endpoint may have begun. If `stopped`, the consumer is
    ending.
    """

    work: asyncio.Task[dict[str, Any]] | None = None
    sent: bool = False
    stopped: bool = False

    def cancel(self) -> None:
        """Cancel the work, if it has begun."""
        if self.work:
            self.work.cancel()


class JobPrediction:
    """Calls models of every kind; at most `threads` models run in this process at a time."""

    def __init__(
        self,
        jobs: JobStore,
        find: Callable[[str], ModelRecord],
        cache: ModelCache,
        remote: RemoteModelClient,
        retry: RetryUntilAvailable,
        threads: int = 1,
    ) -> None:
        """Create the threads that run models."""
        self._jobs = jobs
        self._find = find
        self._cache = cache
        self._remote = remote
        self._retry = retry
        self._threads = ThreadPoolExecutor(threads, "predict-async-model")

    def close(self) -> None:
        """End the threads, without waiting for a model that runs."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def predict(
        self, held: HeldJob, job_id: str, model_id: str, database: ThreadPoolExecutor
    ) -> dict[str, Any]:
        """Return the fields of the answer; threads of `database` read the row.

        Raises `errors.Fenced` for a job without inputs, because it has ended; `EndpointFailed` if a
        consumer was lost during a call that must not be repeated; and what the model raises.
        """
        lost, size, inputs, model = await run_in_pool(
            database, partial(self._read, job_id, model_id)
        )
        if isinstance(spec := model.spec, EndpointSpec):
            if lost and not spec.idempotent:
                raise errors.EndpointFailed(
                    "a consumer was lost during the call: it may have been carried out"
                )
            held.sent = not spec.idempotent
            return await self._remote.predict(
                model_id, spec, inputs, spec.seconds, size=size, background=True
            )
        # Shielded, because other callers may wait for the same load.
        found = await asyncio.shield(asyncio.wrap_future(self._cache.get(model_id)))
        return await run_in_pool(self._threads, partial(_predicted, found, inputs))

    def _read(self, job_id: str, model_id: str) -> tuple[bool, int, PredictionInputs, ModelRecord]:
        """Return whether a consumer was lost, the size of the inputs, the inputs, and the model."""
        job = self._retry(lambda: self._jobs.get(job_id))
        text = self._retry(lambda: self._jobs.inputs(job_id))
        if job is None or text is None:
            raise errors.Fenced
        model = self._retry(lambda: self._find(model_id))
        lost = (job.error or {}).get("type") == errors.ConsumerLost.type
        return lost, len(text), parse_request(PredictionInputs, text.encode()), model


def _predicted(model: Predictor, inputs: PredictionInputs) -> dict[str, Any]:
    """Return the fields of a model's answer. Raises `errors.Invalid` or `TooLarge`."""
    answered = prediction_reply(inputs, model.predict(model.prepare(inputs)), model.model_id)
    if isinstance(answered, Failed):
        raise error_from_wire(answered.error)
    return answered.members()
