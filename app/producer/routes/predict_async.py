"""Predictions as jobs: they survive the client, the producer, the broker and the consumer."""

import hashlib
import json
import logging
import uuid
from functools import partial
from time import perf_counter
from typing import Any, TypeVar

from fastapi import APIRouter, Request, Response
from starlette.responses import JSONResponse

from app import errors
from app.amqp.topology import PREDICT_ASYNC_QUEUE
from app.auth.identity import Scope
from app.auth.names import qualified, shown
from app.auth.shown_names import shown_error, shown_reply
from app.concurrency import run_in_thread
from app.jobs.quotas import quotas_for
from app.jobs.record import Job
from app.models.exact import Exact
from app.observability import logs
from app.producer.answers.location import location
from app.producer.callers.access import owner_in
from app.producer.callers.caller import caller_of, identity_of
from app.producer.callers.row_count import count_inputs
from app.producer.jobs.accepted_prediction import accepted_prediction, told_model
from app.producer.jobs.idempotency import (
    IDEMPOTENCY_PARAMETER,
    idempotency_key,
    key_conflict,
    qualified_key,
)
from app.producer.routing.body import (
    call_with_body,
    encode_message,
    parse_body,
    read_json_body,
)
from app.producer.routing.raw_route import RawRoute, body_schema, document_body
from app.producer.routing.route_scopes import allow
from app.producer.routing.strict_route import problem_responses
from app.producer.rpc.replies import read_prediction
from app.producer.schemas.jobs import BothAnswer, QueuedAnswer
from app.producer.schemas.requests import AsyncBody, SyncAsyncBody
from app.producer.services import Services, services_of
from app.protocol.replies import Failed, Reply
from app.protocol.requests import PredictionInputs, job_notification
from app.protocol.types import JSON_MEDIA_TYPE, JobKind, JobStatus

log = logging.getLogger(__name__)

# Errors of the request. With any other error of the fast model, the job is created all the same.
_REFUSED = (errors.Invalid, errors.NotFound, errors.NotReady, errors.TooLarge)

BodyT = TypeVar("BodyT", bound=PredictionInputs)

router = APIRouter(route_class=RawRoute, tags=["predictions"])


def _documented(body: type[PredictionInputs]) -> dict[str, Any]:
    documented = document_body((JSON_MEDIA_TYPE, body_schema(body)))
    return {**documented, "parameters": [IDEMPOTENCY_PARAMETER]}


@router.post(
    "/predict/async",
    status_code=202,
    response_model=QueuedAnswer,
    responses=problem_responses(404, 408, 409, 410, 413, 415, 422, 429, 503, 507),
    openapi_extra=_documented(AsyncBody),
)
@allow(Scope.PREDICT)
async def predict_async(request: Request) -> Response:
    """Predict in the background; the result will be at `Location`, `/jobs/{id}`.

    An accepted job survives the loss of any process. The same `Idempotency-Key` with the same body
    returns the same job.
    """
    services = services_of(request)
    owner = owner_in(request)
    key = qualified_key(owner, idempotency_key(request))
    with services.in_flight.admit():
        sent = await read_json_body(request)
        body, inputs, digest = await _checked(request, AsyncBody, sent)
        if known := await _known(services, key, digest):
            return accepted_prediction(request, known.state, known.id, known.request)
        await run_in_thread(services.disks.check)
        asked = (owner, body.model_id, body.dataset_id, body.split_key)
        exact, dataset_id = await services.access.exact_of(*asked)
        model = await run_in_thread(services.models.get, exact.model_id, dataset_id)
        job_id = qualified(owner, uuid.uuid4().hex)
        with logs.log_task(log, job_id, f"async model={model.model_id}") as task:
            row = {"model_id": model.model_id, "sha256": digest, **exact.told()}
            if taken := await _accept(request, job_id, row, inputs, key):
                return accepted_prediction(request, taken.state, taken.id, taken.request)
            task.status = await _submitted(services, job_id)
    return accepted_prediction(request, task.status, job_id, row)


@router.post(
    "/predict/sync_async",
    response_model=BothAnswer,
    response_model_exclude_unset=True,
    responses=problem_responses(404, 408, 409, 410, 413, 415, 422, 429, 503, 507),
    openapi_extra=_documented(SyncAsyncBody),
)
@allow(Scope.PREDICT)
async def predict_sync_async(request: Request) -> Response:
    """Predict with a fast model at once, and with another one in the background.

    When both have answered, `/jobs/{job_id}` has both answers and tells whether they `disagree`. If
    the fast model cannot answer now, `status` is TASK_ERROR, and the job runs all the same.
    """
    services = services_of(request)
    owner = owner_in(request)
    key = qualified_key(owner, idempotency_key(request))
    with services.in_flight.admit():
        sent = await read_json_body(request)
        body, inputs, digest = await _checked(request, SyncAsyncBody, sent, models=2)
        if known := await _known(services, key, digest):
            return _both(request, known.id, known.request, known.sync)
        await run_in_thread(services.disks.check)
        try:
            late = await services.access.exact(owner, body.async_model_id)
            model = await run_in_thread(services.models.get, late.model_id)
        except _REFUSED as error:
            raise _about("async_model_id", error) from None
        fast = await services.access.exact(owner, body.sync_model_id, "sync_model_id")
        job_id = qualified(owner, uuid.uuid4().hex)
        what = f"sync_async model={fast.model_id} async_model={model.model_id}"
        with logs.log_task(log, job_id, what) as task:
            sync = await _sync(services, owner, fast, job_id, inputs)
            row = {
                "model_id": model.model_id,
                **late.told(),
                "sync_model_id": fast.model_id,
                "tolerance": body.tolerance,
                "sha256": digest,
            }
            task.status = sync["status"]
            if taken := await _accept(request, job_id, row, inputs, key, sync):
                return _both(request, taken.id, taken.request, taken.sync)
            await _submitted(services, job_id)
    return _both(request, job_id, row, sync)


async def _sync(
    services: Services, owner: str, model: Exact, job_id: str, inputs: str
) -> dict[str, Any]:
    """Return the answer of the fast model, or its error, with names as `owner` has them.

    Raises errors of the request.

    The message carries the id of the job, so that the consumer logs it under this id.
    """
    begun = perf_counter()
    try:
        message = encode_message(inputs.encode(), model_id=model.model_id, job_id=job_id)
        answer = await services.predictions.predict((model.model_id, None), message)
        reply: Reply = read_prediction(shown_reply(owner, answer))
    except _REFUSED as error:
        raise _about("sync_model_id", error) from None
    except errors.WarrenError as error:
        reply = Failed(shown(owner, model.model_id), error=shown_error(owner, error.to_wire()))
    elapsed = round((perf_counter() - begun) * 1000, 1)
    label = model.label(owner)
    told = {"model": label} if label else {}
    return {"pred_proba": None, **reply.to_wire(), **told, "elapsed_ms": elapsed}


async def _known(services: Services, key: str | None, digest: str) -> Job | None:
    """Return the job of an idempotency key. Raises `errors.Invalid` if its body differs."""
    job = await run_in_thread(services.jobs.of_key, key) if key else None
    if job and (job.kind is not JobKind.PREDICT or job.request.get("sha256") != digest):
        raise key_conflict(job)
    return job


async def _accept(
    request: Request,
    job_id: str,
    row: dict[str, Any],
    inputs: str,
    key: str | None,
    sync: dict[str, Any] | None = None,
) -> Job | None:
    """Create the job, unless another one has its idempotency key by now; return that one."""
    services = services_of(request)

    def create() -> bool:
        return services.jobs.create(
            *(job_id, JobKind.PREDICT, None, row),
            caller=caller_of(request.scope),
            size=len(inputs) + len(json.dumps([row, sync])),
            quotas=quotas_for(identity_of(request.scope), services.quotas),
            inputs=inputs,
            idempotency_key=key,
            sync=sync,
        )

    if await run_in_thread(create):
        return None
    return await _known(services, key, row["sha256"])


async def _submitted(services: Services, job_id: str) -> JobStatus:
    body = job_notification(job_id)
    return await services.publish_job(PREDICT_ASYNC_QUEUE, body, job_id, replied=False)


async def _checked(
    request: Request, kind: type[BodyT], sent: bytes, models: int = 1
) -> tuple[BodyT, str, str]:
    """Parse a body; return it without its inputs, the inputs as JSON, and a digest of the whole.

    The inputs are deleted when the job ends; then the digest tells whether a repeated request has
    the same body. Raises `errors.Invalid`, `TooLarge` or `RateLimited`.
    """
    body = await parse_body(kind, sent)
    count_inputs(request.scope, body, models)
    inputs, digest = await call_with_body(sent, partial(_encoded, body))
    # The parsed inputs are ten times as large, and are freed before the models are called.
    return body.model_copy(update={"input_data": None, "image_data": None}), inputs, digest


def _encoded(body: PredictionInputs) -> tuple[str, str]:
    return body.encode_inputs(), hashlib.sha256(body.encode()).hexdigest()


def _about(field: str, error: errors.FieldError) -> errors.FieldError:
    """Return an error about `model_id` as one about the field that holds the id in this body."""
    return error.renamed(field) if error.extra.get("field") == "model_id" else error


def _both(
    request: Request, job_id: str, row: dict[str, Any], sync: dict[str, Any] | None
) -> Response:
    owner = owner_in(request)
    job_id = shown(owner, job_id)
    told = {f"async_{name}": value for name, value in told_model(owner, row).items()}
    message = {**(sync or {}), "job_id": job_id, **told}
    return JSONResponse({"message": message}, headers=location(request, f"/jobs/{job_id}"))
