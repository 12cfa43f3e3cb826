"""`/ui/jobs/{id}`: a job, what happened to it, its log, and what it was asked for."""

from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request, Response

from app.auth.names import owner_of
from app.concurrency import run_in_thread
from app.jobs.job_log import MAX_LINES
from app.observability.job_lines import FIRST, LAST
from app.producer.callers.access import OwnerDep
from app.producer.jobs.job_course import show_course
from app.producer.routing.route_scopes import allow
from app.producer.services import ServicesDep
from app.producer.ui.page_route import PageRoute
from app.producer.ui.pages import JOBS
from app.producer.ui.refresh import refresh_seconds
from app.producer.ui.rendering import page, redirect
from app.producer.ui.timeline import timeline
from app.protocol.types import QualifiedId

LINES = 100  # the newest of the log, each cut; so that the page stays small

router = APIRouter(route_class=PageRoute, include_in_schema=False)


@router.get("/ui/jobs/{job_id}")
@allow(*JOBS)
async def job_page(
    job_id: QualifiedId,
    request: Request,
    services: ServicesDep,
    owner: OwnerDep,
    log: Annotated[Literal["all"] | None, Query()] = None,
) -> Response:
    """Show a job, with the newest lines of its log or with `all` that are kept.

    It refreshes itself until the job has ended and its log is complete.
    """
    name = await services.access.job(owner, job_id)
    lines = MAX_LINES if log else LINES
    found = await run_in_thread(show_course, services.jobs, name, owner, lines)
    view = found.view
    error = view.error["detail"] if view.error else None
    return page(
        request,
        "job.html",
        job=view,
        is_own=owner_of(found.row.id) == owner,
        steps=timeline(found.row, found.attempts, error),
        log=found.log,
        whole_log=log is not None,
        first=FIRST,
        last=LAST,
        refresh=None if view.ended_at and found.log.complete else refresh_seconds(request),
    )


@router.get("/ui/job")
@allow(*JOBS)
async def find_job(request: Request, job_id: QualifiedId) -> Response:
    """Go to the page of a job by its id."""
    return redirect(request, f"/ui/jobs/{job_id}")
