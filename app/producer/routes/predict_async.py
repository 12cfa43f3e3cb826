"""Predictions that are jobs: they outlive whoever asks, and each part that could be lost."""

import hashlib
import logging
import uuid
from time import perf_counter
from typing import Annotated, Any, TypeVar

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import JSONResponse

from app import errors
from app.amqp.topology import PREDICT_ASYNC_QUEUE
from app.concurrency import run_in_thread
from app.jobs.record import Job
from app.observability import logs
from app.producer.http.body import encode_message, read_json_body
from app.producer.http.idempotency import (
    IDEMPOTENCY_PARAMETER,
    idempotency_key,
    key_conflict,
)
from app.producer.http.raw_route import RawRoute, body_schema, document_body
from app.producer.http.strict_route import problem_responses
from app.producer.rpc.replies import read_prediction
from app.producer.schemas.requests import PREDICT_EXAMPLE
from app.producer.services import Services
from app.protocol.replies import Failed, Reply
from app.protocol.requests import PredictionInputs, job_notification
from app.protocol.types import JSON_MEDIA_TYPE, LATEST, Id, JobKind, JobStatus
from app.protocol.validation import parse_request

logger = logging.getLogger(__name__)

# What the request is to blame for; whatever else the fast model fails with costs no job.
_REFUSED = (errors.Invalid, errors.NotFound, errors.NotReady, errors.TooLarge)

_SYNC_ASYNC_EXAMPLE = {
    "sync_model_id": LATEST,
    "async_model_id": LATEST,
    "input_data": PREDICT_EXAMPLE["input_data"],
}

BodyT = TypeVar("BodyT", bound=PredictionInputs)

router = APIRouter(route_class=RawRoute, tags=["predictions"])


class AsyncBody(PredictionInputs):
    """The body of `POST /predict/async`. Unknown keys are refused."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [PREDICT_EXAMPLE]})

    model_id: Id
    dataset_id: Id | None = None


class SyncAsyncBody(PredictionInputs):
    """The body of `POST /predict/sync_async`. Unknown keys are refused.

    Numbers disagree when they differ by more than `tolerance`, relative to the larger.
    """

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [_SYNC_ASYNC_EXAMPLE]})

    sync_model_id: Id
    async_model_id: Id
    tolerance: Annotated[float, Field(ge=0, le=1)] = 0.01


class Queued(BaseModel):
    """What the job is called, and the model that will answer."""

    status: JobStatus
    job_id: str
    model_id: str


class QueuedAnswer(BaseModel):
    """The answer of `POST /predict/async`."""

    message: Queued


def _documented(body: type[PredictionInputs]) -> dict[str, Any]:
    documented = document_body((JSON_MEDIA_TYPE, body_schema(body)))
    return {**documented, "parameters": [IDEMPOTENCY_PARAMETER]}


class Both(BaseModel):
    """The answer of the fast model, or its `error`, and the job of the other one."""

    status: JobStatus
    model_id: str
    prediction: Any = None
    pred_proba: Any = None
    error: dict[str, Any] | None = None
    elapsed_ms: float
    job_id: str
    async_model_id: str


class BothAnswer(BaseModel):
    """The answer of `POST /predict/sync_async`."""

    message: Both


@router.post(
    "/predict/async",
    status_code=202,
    response_model=QueuedAnswer,
    responses=problem_responses(404, 408, 409, 413, 422, 503),
    openapi_extra=_documented(AsyncBody),
)
async def predict_async(request: Request) -> Response:
    """Have something predicted that may take long: the answer will be at `Location`, `/jobs/{id}`.

    What is accepted is answered, whatever is lost meanwhile. The same `Idempotency-Key` with the
    same body is the same job.
    """
    services: Services = request.app.state.services
    key = idempotency_key(request)
    with services.in_flight.admit() as take:
        sent = await read_json_body(request, take, services.settings.predict_timeout)
        body, inputs, digest = _checked(AsyncBody, sent)
        if known := await _known(services, key, digest):
            return _queued(known.state, known.id, known.request["model_id"])
        model = await run_in_thread(services.models.get, body.model_id, body.dataset_id)
        job_id = uuid.uuid4().hex
        with logs.log_task(logger, job_id, f"async model={model.model_id}") as task:
            row = {"model_id": model.model_id, "sha256": digest}
            if taken := await _accept(services, job_id, row, inputs, key):
                return _queued(taken.state, taken.id, taken.request["model_id"])
            task.status = await _submitted(services, job_id)
    return _queued(task.status, job_id, model.model_id)


@router.post(
    "/predict/sync_async",
    response_model=BothAnswer,
    response_model_exclude_unset=True,
    responses=problem_responses(404, 408, 409, 413, 422, 503),
    openapi_extra=_documented(SyncAsyncBody),
)
async def predict_sync_async(request: Request) -> Response:
    """Answer at once by a fast model, and have another asked the same, as a job.

    When both have answered, `/jobs/{job_id}` tells both answers, and whether they `disagree`. If
    the fast model cannot answer now, `status` is TASK_ERROR, and the other is asked all the same.
    """
    services: Services = request.app.state.services
    key = idempotency_key(request)
    with services.in_flight.admit() as take:
        sent = await read_json_body(request, take, services.settings.predict_timeout)
        body, inputs, digest = _checked(SyncAsyncBody, sent)
        if known := await _known(services, key, digest):
            return _both(known.id, known.request["model_id"], known.sync)
        try:
            model = await run_in_thread(services.models.get, body.async_model_id)
        except _REFUSED as error:
            raise _about("async_model_id", error) from None
        job_id = uuid.uuid4().hex
        what = f"sync_async model={body.sync_model_id} async_model={model.model_id}"
        with logs.log_task(logger, job_id, what) as task:
            sync = await _sync(services, body.sync_model_id, job_id, inputs)
            row = {
                "model_id": model.model_id,
                "sync_model_id": body.sync_model_id,
                "tolerance": body.tolerance,
                "sha256": digest,
            }
            task.status = sync["status"]
            if taken := await _accept(services, job_id, row, inputs, key, sync):
                return _both(taken.id, taken.request["model_id"], taken.sync)
            await _submitted(services, job_id)
    return _both(job_id, model.model_id, sync)


async def _sync(services: Services, model_id: str, job_id: str, inputs: str) -> dict[str, Any]:
    """Return what the fast model answers, be it an error. Raises what the request is to blame for.

    The request carries the id of the job, under which its way through the consumer is logged.
    """
    begun = perf_counter()
    try:
        message = encode_message(inputs.encode(), model_id=model_id, job_id=job_id)
        reply: Reply = read_prediction(
            await services.predictions.predict((model_id, None), message)
        )
    except _REFUSED as error:
        raise _about("sync_model_id", error) from None
    except errors.WarrenError as error:
        reply = Failed.of(error, model_id)
    elapsed = round((perf_counter() - begun) * 1000, 1)
    return {"pred_proba": None, **reply.to_wire(), "elapsed_ms": elapsed}


async def _known(services: Services, key: str | None, digest: str) -> Job | None:
    """Return the job of an idempotency key. Raises `errors.Invalid` for that of another body."""
    job = await run_in_thread(services.jobs.of_key, key) if key else None
    if job and (job.kind is not JobKind.PREDICT or job.request.get("sha256") != digest):
        raise key_conflict(job)
    return job


async def _accept(
    services: Services,
    job_id: str,
    request: dict[str, Any],
    inputs: str,
    key: str | None,
    sync: dict[str, Any] | None = None,
) -> Job | None:
    """Write the job; return the one that has its idempotency key, if there is one by now."""
    more: dict[str, Any] = {"inputs": inputs, "idempotency_key": key, "sync": sync}
    if await run_in_thread(services.jobs.create, job_id, JobKind.PREDICT, None, request, **more):
        return None
    return await _known(services, key, request["sha256"])


async def _submitted(services: Services, job_id: str) -> JobStatus:
    body = job_notification(job_id)
    return await services.publish_job(PREDICT_ASYNC_QUEUE, body, job_id, replied=False)


def _checked(kind: type[BodyT], sent: bytes) -> tuple[BodyT, str, str]:
    """Check a body; return it without its inputs, these as JSON, and the digest of all.

    The digest stands for inputs that do not stay: who repeats a request may ask something else.
    Raises `errors.Invalid`, or `TooLarge`.
    """
    body = parse_request(kind, sent)
    names = ("input_data", "image_data")
    inputs = body.model_dump_json(include=set(names), exclude_none=True)
    digest = hashlib.sha256(body.encode()).hexdigest()
    # What is parsed is ten times as large, and gone while others are asked.
    return body.model_copy(update=dict.fromkeys(names)), inputs, digest


def _about(field: str, error: errors.FieldError) -> errors.FieldError:
    """Return an error about `model_id` as one about the field that holds the id here."""
    return error.renamed(field) if error.extra.get("field") == "model_id" else error


def _queued(status: str, job_id: str, model_id: str) -> Response:
    message = {"status": status, "job_id": job_id, "model_id": model_id}
    return JSONResponse({"message": message}, 202, headers={"Location": f"/jobs/{job_id}"})


def _both(job_id: str, model_id: str, sync: dict[str, Any] | None) -> Response:
    message = {**(sync or {}), "job_id": job_id, "async_model_id": model_id}
    return JSONResponse({"message": message}, headers={"Location": f"/jobs/{job_id}"})
