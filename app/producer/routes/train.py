"""`POST /train`."""

import logging
import uuid

from fastapi import APIRouter, Request, Response
from starlette.responses import JSONResponse

from app.amqp.topology import TRAIN_QUEUE
from app.concurrency import run_in_thread
from app.jobs.record import Job
from app.observability import logs
from app.producer.http.caller import caller_of
from app.producer.http.idempotency import IdempotencyKey, key_conflict
from app.producer.http.location import location
from app.producer.http.strict_route import StrictRoute, problem_responses
from app.producer.schemas.requests import TrainBody
from app.producer.schemas.responses import AcceptedAnswer
from app.producer.services import ServicesDep
from app.protocol.training_request import TrainRequest
from app.protocol.types import JobKind

log = logging.getLogger(__name__)

router = APIRouter(route_class=StrictRoute, tags=["jobs"])


@router.post(
    "/train",
    status_code=202,
    response_model=AcceptedAnswer,
    responses=problem_responses(404, 413, 415, 422, 429, 503, 507),
)
async def train(
    body: TrainBody,
    request: Request,
    services: ServicesDep,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """Train a model on a data set.

    `Location` is the job's path. TASK_QUEUED means that no consumer took the job within a second;
    it runs when one is free. The same `Idempotency-Key` with the same body returns the same job.
    """
    jobs = services.jobs
    if idempotency_key and (known := await run_in_thread(jobs.of_key, idempotency_key)):
        return _again(known, body, request)
    await run_in_thread(services.disks.check)
    if not await run_in_thread(services.datasets.exists, body.dataset_id):
        raise await run_in_thread(services.datasets.not_found, body.dataset_id)
    job_id = uuid.uuid4().hex
    training = TrainRequest.of(body, job_id)
    message = training.encode()
    created = await run_in_thread(
        jobs.create,
        *(job_id, JobKind.TRAIN, training.dataset_id, training.row()),
        caller=caller_of(request.scope),
        size=len(message),
        quotas=services.quotas,
        idempotency_key=idempotency_key,
    )
    if not created:
        known = await run_in_thread(jobs.of_key, idempotency_key or "")
        assert known is not None
        return _again(known, body, request)
    with logs.log_task(log, job_id, f"train model={job_id}") as task:
        task.status = await services.publish_job(TRAIN_QUEUE, message, job_id)
    return _accepted(task.status, job_id, request)


def _again(job: Job, body: TrainBody, request: Request) -> Response:
    """Answer a request whose idempotency key is that of a job."""
    asked = TrainRequest.of(body, job.id)
    trains = job.kind is JobKind.TRAIN
    if not trains or not asked.asks_the_same(TrainRequest.model_validate(job.request)):
        raise key_conflict(job)
    return _accepted(job.state, job.id, request)


def _accepted(status: str, job_id: str, request: Request) -> Response:
    return JSONResponse(
        {"message": {"status": status, "model_id": job_id}},
        202,
        headers=location(request, f"/jobs/{job_id}"),
    )
