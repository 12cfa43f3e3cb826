"""The HTTP surface. Handlers are thin: they ask a part and name the answer."""

import logging
import re
import uuid
from contextlib import suppress
from typing import Annotated, Any

import anyio
from fastapi import APIRouter, Header, Path, Query, Response
from sse_starlette import EventSourceResponse
from starlette.responses import JSONResponse

from app import errors, queues
from app.database import Job
from app.messages import Id, Status, TrainRequest
from app.producer import events, health, schema
from app.producer.services import Needed, threaded
from app.producer.strict import StrictRoute, problems

log = logging.getLogger(__name__)


_JobId = Annotated[Id, Path()]
_Key = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        pattern=r"^[!-~]{1,255}$",
        description="The same key with the same body is the same job, with another body a 422.",
    ),
]
_LastEvent = Annotated[str | None, Header()]


router = APIRouter(route_class=StrictRoute)


@router.post(
    "/train",
    tags=["jobs"],
    status_code=202,
    response_model=schema.AcceptedAnswer,
    responses=problems(404, 413, 422, 503),
)
async def train(body: schema.TrainBody, services: Needed, idempotency_key: _Key = None) -> Response:
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
    status = Status.QUEUED
    try:
        if reply := await services.rpc.submit(
            queues.TRAIN, message, job_id, services.settings.train_wait
        ):
            status = reply.status
    except errors.BrokerUnavailable as error:
        # The job is accepted all the same: the relay publishes it. If the database is away now,
        # too, the message will be found missing.
        log.warning("job %s goes to the outbox: %s", job_id, error)
        with suppress(errors.Unavailable):
            await threaded(jobs.unpublish, job_id)
    return _accepted(status, job_id)


def _again(job: Job, body: schema.TrainBody) -> Response:
    """Answer a request whose idempotency key is that of a job."""
    asked = TrainRequest(**body.model_dump(), model_id=job.id)
    if not asked.asks_the_same(TrainRequest.model_validate(job.request)):
        raise errors.Invalid(
            "Idempotency-Key: it was used with another body", field="Idempotency-Key", job=job.id
        )
    return _accepted(job.state, job.id)


def _accepted(status: Status, job_id: str) -> Response:
    return JSONResponse(
        {"message": {"status": status, "model_id": job_id}},
        202,
        headers={"Location": f"/jobs/{job_id}"},
    )


@router.get("/jobs", tags=["jobs"], response_model=schema.Jobs, responses=problems(422, 503))
async def jobs(
    services: Needed,
    state: Status | None = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> dict[str, Any]:
    """List the newest jobs, of one state or of all."""
    return {"jobs": await threaded(services.jobs.newest, limit, state)}


@router.get(
    "/jobs/{job_id}",
    tags=["jobs"],
    response_model=schema.JobView,
    responses=problems(404, 422, 503),
)
async def job(job_id: _JobId, services: Needed) -> schema.JobView:
    """Tell a job's state, progress, times, metrics, error and attempts."""
    return await events.look(services.jobs, job_id)


@router.delete(
    "/jobs/{job_id}",
    tags=["jobs"],
    response_model=schema.JobView,
    responses=problems(404, 409, 422, 503),
)
async def cancel(job_id: _JobId, services: Needed) -> schema.JobView:
    """Cancel a job that has not ended: one that waits at once, one that runs within 2 seconds."""
    applied = await threaded(services.jobs.cancel, job_id)
    found = await events.look(services.jobs, job_id)
    if not applied and found.state is not Status.CANCELLED:
        raise errors.Ended(f"job_id: job {job_id} has ended: {found.state}", state=found.state)
    return found


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
    response_model=schema.Health,
    responses={503: {"model": schema.Health}},
)
async def health_all(services: Needed) -> Response:
    """Ask every part, and tell how long each took; 503 if one does not answer."""
    found = await health.check_all(services)
    return JSONResponse(found.model_dump(exclude_none=True), 200 if found.status == "ok" else 503)
