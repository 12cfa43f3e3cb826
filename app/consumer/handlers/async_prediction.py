"""What an attempt of a predict job does: read what is asked from the row, and ask the model."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

from app import errors
from app.concurrency import run_in_pool
from app.consumer.handlers.predict import prediction_reply
from app.inference.cache import ModelCache
from app.inference.predictor import Predictor
from app.jobs.record import Job
from app.jobs.store import JobStore
from app.models.endpoint import EndpointSpec
from app.models.latest import FindModel
from app.protocol.requests import PredictionInputs
from app.protocol.types import JobStatus
from app.protocol.validation import parse_request
from app.remote.client import RemoteModelClient
from app.retry import RetryUntilAvailable

T = TypeVar("T")


@dataclass(eq=False)
class HeldJob:
    """A job in hand: its `work`, once it is claimed.

    `sent` when it must not be done again, as a model that is not idempotent may have begun;
    `stopped` when the consumer ends.
    """

    work: asyncio.Task[dict[str, Any]] | None = None
    sent: bool = False
    stopped: bool = False


class AsyncPrediction:
    """Asks models of every kind; as many as `threads` are run here at a time."""

    def __init__(
        self,
        jobs: JobStore,
        find: FindModel,
        cache: ModelCache,
        endpoints: RemoteModelClient,
        patiently: RetryUntilAvailable,
        database: ThreadPoolExecutor,
        threads: int,
    ) -> None:
        """Ask the database by threads of `database`, and models by threads of our own."""
        self._jobs = jobs
        self._find = find
        self._cache = cache
        self._endpoints = endpoints
        self._patiently = patiently
        self._database = database
        self.threads = ThreadPoolExecutor(threads, "answer-model")

    async def ask(self, held: HeldJob, job_id: str, model_id: str) -> dict[str, Any]:
        """Return the fields of the answer.

        Raises `errors.Fenced` for a job that has nothing to answer any more, what the model is
        asked for in vain, and `EndpointFailed` for what a consumer was lost at and may not be asked
        twice.
        """
        lost, size, inputs, model = await run_in_pool(
            self._database, partial(self._read, job_id, model_id)
        )
        if model.kind == "endpoint":
            spec = EndpointSpec.model_validate(model.request)
            if lost and not spec.idempotent:
                raise errors.EndpointFailed(
                    "a consumer was lost during the call: it may have been carried out"
                )
            held.sent = not spec.idempotent
            return await self._endpoints.ask(
                model_id, spec, inputs, spec.seconds, size=size, patient=True
            )
        # Shielded, or who is cancelled would cancel what others wait for, too.
        found = await asyncio.shield(asyncio.wrap_future(self._cache.get(model_id)))
        return await run_in_pool(self.threads, partial(_predicted, found, inputs))

    def _read(self, job_id: str, model_id: str) -> tuple[bool, int, PredictionInputs, Job]:
        """Return whether a consumer was lost at the job, its inputs and their size, its model."""
        job = self._patiently(lambda: self._jobs.get(job_id))
        text = self._patiently(lambda: self._jobs.inputs(job_id))
        if job is None or text is None:
            raise errors.Fenced
        model = self._patiently(lambda: self._find(model_id, None))
        lost = (job.error or {}).get("type") == errors.ConsumerLost.type
        return lost, len(text), parse_request(PredictionInputs, text.encode()), model


def _predicted(model: Predictor, inputs: PredictionInputs) -> dict[str, Any]:
    """Return the fields of a model's answer. Raises `errors.Invalid` or `TooLarge`."""
    answered = prediction_reply(inputs, model.predict(model.prepare(inputs)), model.model_id)
    if answered.status is not JobStatus.COMPLETED:
        raise errors.from_wire(answered.fields["error"])
    return answered.fields
