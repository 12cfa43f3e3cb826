"""The HTTP surface. Handlers are thin: they ask a part and name the answer."""

import logging
import re
import uuid
from typing import Annotated, Any

import anyio
from fastapi import APIRouter, Header, Path, Query, Response
from sse_starlette import EventSourceResponse
from starlette.responses import JSONResponse

from app import errors, log, queues
from app.database import Job
from app.messages import Id, Status, TrainRequest
from app.producer import accepting, events, health, schema, views
from app.producer.services import Needed, threaded
from app.producer.strict import StrictRoute, problems

logger = logging.getLogger(__name__)


_JobId = Annotated[Id, Path()]
_LastEvent = Annotated[str | None, Header()]


router = APIRouter(route_class=StrictRoute)


@router.post(
    "/train",
    tags=["jobs"],
    status_code=202,
    response_model=views.AcceptedAnswer,
    responses=problems(404, 413, 422, 503),
)
async def train(
    body: schema.TrainBody, services: Needed, idempotency_key: accepting.Key = None
) -> Response:
    """Train a model on a data set.

    The job's way is at `Location`. TASK_QUEUED says that no consumer took it within a second; it
    will be run when one is free. The same `Idempotency-Key` with the same body is the same job.
    """
    jobs = services.jobs
    if idempotency_key and (known := await threaded(jobs.of_key, idempotency_key)):
        return _again(known, body)
    if not await threaded(services.storage.dataset_exists, body.dataset_id):
        raise errors.NotFound(
            f"dataset_id: there is no data set {body.dataset_id}", field="dataset_id"
        )
    job_id = uuid.uuid4().hex
    request = TrainRequest(**body.model_dump(), model_id=job_id)
    message = request.encode()
    row = ("train", request.dataset_id, request.model_dump())
    if not await threaded(jobs.accept, job_id, *row, idempotency_key=idempotency_key):
        known = await threaded(jobs.of_key, idempotency_key or "")
        assert known is not None
        return _again(known, body)
    with log.task(logger, job_id, f"train model={job_id}") as task:
        task.status = await accepting.submit(services, queues.TRAIN, message, job_id)
    return _accepted(task.status, job_id)


def _again(job: Job, body: schema.TrainBody) -> Response:
    """Answer a request whose idempotency key is that of a job."""
    asked = TrainRequest(**body.model_dump(), model_id=job.id)
    trains = job.kind == "train"
    if not trains or not asked.asks_the_same(TrainRequest.model_validate(job.request)):
        raise accepting.other_body(job)
    return _accepted(job.state, job.id)


def _accepted(status: str, job_id: str) -> Response:
    return JSONResponse(
        {"message": {"status": status, "model_id": job_id}},
        202,
        headers={"Location": f"/jobs/{job_id}"},
    )


@router.get("/jobs", tags=["jobs"], response_model=views.Jobs, responses=problems(422, 503))
async def jobs(
    services: Needed,
    state: Status | None = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> dict[str, Any]:
    """List the newest jobs, of one state or of all."""
    found = await threaded(services.jobs.newest, limit, state)
    return {"jobs": [events.shown(views.JobInShort, each) for each in found]}


@router.get("/job/{job_id}", include_in_schema=False, response_model=views.JobView)
@router.get(
    "/jobs/{job_id}",
    tags=["jobs"],
    response_model=views.JobView,
    responses=problems(404, 422, 503),
)
async def job(job_id: _JobId, services: Needed) -> views.JobView:
    """Tell a job's state, progress, times, result, error and attempts."""
    return await events.look(services.jobs, job_id)


@router.delete(
    "/jobs/{job_id}",
    tags=["jobs"],
    response_model=views.JobView,
    responses=problems(404, 409, 422, 503),
)
async def cancel(job_id: _JobId, services: Needed) -> views.JobView:
    """Cancel a job that has not ended: one that waits at once, one that runs within 2 seconds."""
    applied = await threaded(services.jobs.cancel, job_id)
    found = await events.look(services.jobs, job_id)
    if not applied and found.state is not Status.CANCELLED:
        raise errors.Ended(f"job_id: job {job_id} has ended: {found.state}", state=found.state)
    return found


@router.get("/job/{job_id}/events", include_in_schema=False)
@router.get(
    "/jobs/{job_id}/events",
    tags=["jobs"],
    response_class=EventSourceResponse,
    responses={
        **problems(404, 422, 503),
        200: {"content": {"text/event-stream": {}}},
        204: {"description": "Nothing more will come"},
    },
)
async def job_events(
    job_id: _JobId, services: Needed, last_event_id: _LastEvent = None
) -> Response:
    """Follow a job: an event `job` with each change, the same as `GET /jobs/{id}`, until its end.

    Who comes back with the `Last-Event-ID` that it knows is told what has changed since.
    """
    found = await events.look(services.jobs, job_id)
    asked = last_event_id or ""
    known = int(asked) if re.fullmatch(r"[0-9]{1,18}", asked) else -1
    if found.ended_at and found.version <= known:
        return Response(status_code=204)  # which keeps a browser from asking again
    closing = anyio.Event()
    return EventSourceResponse(
        events.changes(services.jobs, job_id, known, closing),
        ping=15,
        shutdown_event=closing,
        shutdown_grace_period=events.CLOSE_SECONDS,
    )


@router.get("/", tags=["health"])
async def root() -> dict[str, str]:
    """Say that this is up."""
    return {"Status": "OK"}


@router.get("/health", tags=["health"])
async def alive() -> dict[str, str]:
    """Say that this process serves; asks nobody else."""
    return {"status": "ok"}


@router.get(
    "/health/all",
    tags=["health"],
    response_model=views.Health,
    responses={503: {"model": views.Health}},
)
async def health_all(services: Needed) -> Response:
    """Ask every part, and tell how long each took; 503 if one does not answer."""
    found = await health.check_all(services)
    return JSONResponse(found.model_dump(exclude_none=True), 200 if found.status == "ok" else 503)
