"""`/jobs/{id}/events`: a stream of what happens to a job."""

import re
from typing import Annotated

import anyio
from fastapi import APIRouter, Header, Query, Request, Response
from sse_starlette import EventSourceResponse

from app.auth.identity import Scope
from app.producer.answers.event_stream import EventStream
from app.producer.callers.access import OwnerDep
from app.producer.callers.caller import caller_of
from app.producer.jobs.job_views import CLOSE_SECONDS, job_changes
from app.producer.routing.parameters import JobInPath
from app.producer.routing.route_scopes import allow
from app.producer.routing.strict_route import StrictRoute, problem_responses
from app.producer.services import ServicesDep

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
@allow(Scope.JOBS, Scope.TRAIN, Scope.PREDICT)
async def job_events(
    job_id: JobInPath,
    request: Request,
    services: ServicesDep,
    owner: OwnerDep,
    last_event_id: _LastEvent = None,
    of_query: _LastEventOfQuery = None,
) -> Response:
    """Stream a job: an event `job` with each change, like `GET /jobs/{id}`, until its end.

    With a `Last-Event-ID`, the stream begins with the first change after that event.
    """
    services.streams.check(caller_of(request.scope))  # before the database is asked
    found = await services.watch.show(await services.access.job(owner, job_id), owner)
    asked = last_event_id or of_query or ""
    known = int(asked) if re.fullmatch(r"[0-9]{1,18}", asked) else -1
    if found.ended and found.version <= known:
        return Response(status_code=204)  # keeps a browser from reconnecting
    closing = anyio.Event()
    return EventStream(
        services.streams,
        job_changes(services.watch, found.id, owner, known, closing),
        ping=15,
        shutdown_event=closing,
        shutdown_grace_period=CLOSE_SECONDS,
    )
