"""Jobs: `/jobs`, `/jobs/{id}` and its events."""

import re
from typing import Annotated, Any

import anyio
from fastapi import APIRouter, Header, Path, Query, Response
from sse_starlette import EventSourceResponse

from app import errors
from app.concurrency import run_in_thread
from app.producer.http.event_stream import EventStream
from app.producer.http.examples import example
from app.producer.http.job_views import (
    CLOSE_SECONDS,
    job_changes,
    job_view,
    read_job,
    read_long_job,
)
from app.producer.http.parameters import Limit
from app.producer.http.strict_route import StrictRoute, problem_responses
from app.producer.schemas.jobs import Jobs, JobSummary, JobView
from app.producer.services import ServicesDep
from app.protocol.examples import CANCELLED_JOB_ID
from app.protocol.types import JSON_MEDIA_TYPE, LATEST, Id, JobStatus

_JobId = Annotated[
    Id, Path(description="A job, or `latest`: the newest one.", openapi_examples=example(LATEST))
]
_CancelledId = Annotated[
    Id, Path(description="The job to cancel.", openapi_examples=example(CANCELLED_JOB_ID))
]
_State = Annotated[
    JobStatus | None, Query(description="Only jobs in this state.", examples=[JobStatus.RUNNING])
]
_LastEvent = Annotated[
    str | None,
    Header(description="The id of the last event that the client has seen.", examples=["3"]),
]
# event-source-polyfill, a library for browsers, sends this by itself when it reconnects.
_LastEventOfQuery = Annotated[
    str | None,
    Query(
        alias="lastEventId",
        description="The same as the header `Last-Event-ID`, for clients that cannot send it.",
        examples=["3"],
    ),
]

router = APIRouter(route_class=StrictRoute, tags=["jobs"])


@router.get("/jobs", response_model=Jobs, responses=problem_responses(422, 503))
async def jobs(services: ServicesDep, state: _State = None, limit: Limit = 100) -> dict[str, Any]:
    """List the newest jobs, of one state or of all."""
    found = await run_in_thread(services.jobs.newest, limit, state)
    return {"jobs": [job_view(JobSummary, each) for each in found]}


@router.get("/job/{job_id}", include_in_schema=False, response_model=JobView)
@router.get(
    "/jobs/{job_id}",
    response_model=JobView,
    responses=problem_responses(404, 422, 503),
)
async def job(job_id: _JobId, services: ServicesDep) -> JobView | Response:
    """Return a job: its state, progress, times, result, error and attempts.

    `latest` is the newest job.
    """
    view = await read_job(services.jobs, job_id)
    if not view.shortened:
        return view
    async with services.long_answers:
        return Response(await read_long_job(services.jobs, view), media_type=JSON_MEDIA_TYPE)


@router.delete(
    "/jobs/{job_id}",
    response_model=JobView,
    responses=problem_responses(404, 409, 422, 503),
)
async def cancel(job_id: _CancelledId, services: ServicesDep) -> JobView:
    """Cancel a job: a waiting one ends at once, a running one within 2 seconds."""
    if job_id == LATEST:
        raise errors.Invalid("job_id", f"{LATEST} may be another job by now; use the job's id")
    applied = await run_in_thread(services.jobs.cancel, job_id)
    found = await read_job(services.jobs, job_id)
    if not applied and found.state is not JobStatus.CANCELLED:
        raise errors.JobEnded(f"job_id: job {job_id} has ended: {found.state}", state=found.state)
    return found


@router.get("/job/{job_id}/events", include_in_schema=False)
@router.get(
    "/jobs/{job_id}/events",
    response_class=EventSourceResponse,
    responses={
        **problem_responses(404, 422, 429, 503),
        200: {"content": {"text/event-stream": {}}},
        204: {"description": "There will be no more events"},
    },
)
async def job_events(
    job_id: _JobId,
    services: ServicesDep,
    last_event_id: _LastEvent = None,
    of_query: _LastEventOfQuery = None,
) -> Response:
    """Stream a job: an event `job` with each change, like `GET /jobs/{id}`, until its end.

    With a `Last-Event-ID`, the stream begins with the first change after that event.
    """
    found = await read_job(services.jobs, job_id)
    asked = last_event_id or of_query or ""
    known = int(asked) if re.fullmatch(r"[0-9]{1,18}", asked) else -1
    if found.ended_at and found.version <= known:
        return Response(status_code=204)  # keeps a browser from reconnecting
    closing = anyio.Event()
    return EventStream(
        services.streams,
        job_changes(services.jobs, found.id, known, closing),
        ping=15,
        shutdown_event=closing,
        shutdown_grace_period=CLOSE_SECONDS,
    )
