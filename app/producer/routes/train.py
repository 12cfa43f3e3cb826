"""`POST /train`."""

import logging
import uuid
from functools import partial
from typing import Any

from fastapi import APIRouter, Request, Response
from starlette.responses import JSONResponse

from app.amqp.topology import TRAIN_QUEUE
from app.auth.identity import Scope
from app.auth.long_fits import check_fit_seconds
from app.auth.names import new_name, qualified, shown
from app.concurrency import run_in_thread
from app.jobs.quotas import quotas_for
from app.jobs.record import Job
from app.observability import logs
from app.producer.answers.location import location
from app.producer.callers.access import OwnerDep, owner_in
from app.producer.callers.caller import actor_of, caller_of, identity_of
from app.producer.jobs.idempotency import IdempotencyKey, key_conflict, qualified_key
from app.producer.routing.body import call_with_body
from app.producer.routing.route_scopes import allow
from app.producer.routing.strict_route import StrictRoute, problem_responses
from app.producer.schemas.requests import TrainBody
from app.producer.schemas.responses import AcceptedAnswer
from app.producer.services import ServicesDep
from app.protocol.tags import tags_column
from app.protocol.training_request import TrainRequest
from app.protocol.types import JobKind

log = logging.getLogger(__name__)

router = APIRouter(route_class=StrictRoute, tags=["jobs"])


@router.post(
    "/train",
    status_code=202,
    response_model=AcceptedAnswer,
    responses=problem_responses(404, 409, 413, 415, 422, 429, 503, 507),
)
@allow(Scope.TRAIN)
async def train(
    body: TrainBody,
    request: Request,
    services: ServicesDep,
    owner: OwnerDep,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """Train a model on a data set.

    `Location` is the job's path. TASK_QUEUED means that no consumer took the job within a second;
    it runs when one is free. The same `Idempotency-Key` with the same body returns the same job. A
    model with a `name` becomes the next version of that name when it is published. A name that is
    the id of a model is a 409. A key needs the scope `long` for `max_seconds` above the default.
    """
    jobs = services.jobs
    key = qualified_key(owner, idempotency_key)
    limits = services.settings.fit_default_seconds, services.settings.fit_seconds
    check_fit_seconds(identity_of(request.scope).scopes, body.max_seconds, *limits)
    dataset_id = await services.access.dataset(owner, body.dataset_id)
    body = body.model_copy(update={"dataset_id": dataset_id})
    if key and (known := await run_in_thread(jobs.of_key, key)):
        return _again(known, body, request)
    name = body.name and new_name(owner, body.name, "name")
    await run_in_thread(services.disks.check)
    pinned = await run_in_thread(services.datasets.pin, body.dataset_id, body.dataset_version)
    job_id = qualified(owner, uuid.uuid4().hex)
    made = partial(_message_and_row, body, job_id)
    training, message, row = await call_with_body(await request.body(), made)
    created = await run_in_thread(
        jobs.create,
        *(job_id, JobKind.TRAIN, training.dataset_id, row),
        caller=caller_of(request.scope),
        size=len(message),
        model_name=name,
        quotas=quotas_for(identity_of(request.scope), services.quotas),
        by=actor_of(request.scope),
        idempotency_key=key,
        dataset_version=pinned.version,
        tags=tags_column(training.tags),
    )
    if not created:
        known = await run_in_thread(jobs.of_key, key or "")
        assert known is not None
        return _again(known, body, request)
    with logs.log_task(log, job_id, f"train model={job_id}") as task:
        task.status = await services.publish_job(TRAIN_QUEUE, message, job_id)
    return _accepted(task.status, job_id, request)


def _message_and_row(body: TrainBody, job_id: str) -> tuple[TrainRequest, bytes, dict[str, Any]]:
    """Return the request of a job, as message and as row. Raises `errors.TooLarge`."""
    training = TrainRequest.of(body, job_id)
    return training, training.encode(), training.row()


def _again(job: Job, body: TrainBody, request: Request) -> Response:
    """Answer a request whose idempotency key is that of a job."""
    asked = TrainRequest.of(body, job.id)
    trains = job.kind is JobKind.TRAIN
    if not trains or not asked.asks_the_same(TrainRequest.model_validate(job.request)):
        raise key_conflict(job)
    return _accepted(job.state, job.id, request)


def _accepted(status: str, job_id: str, request: Request) -> Response:
    job_id = shown(owner_in(request), job_id)
    return JSONResponse(
        {"message": {"status": status, "model_id": job_id}},
        202,
        headers=location(request, f"/jobs/{job_id}"),
    )
