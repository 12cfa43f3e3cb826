"""`/ui/jobs/{id}`: a job, what happened to it, its log, and what it was asked for."""

from fastapi import APIRouter, Request, Response

from app.auth.names import owner_of
from app.concurrency import run_in_thread
from app.observability.job_lines import FIRST, LAST
from app.producer.http.access import OwnerDep
from app.producer.http.attempt_views import read_attempts
from app.producer.http.job_log import job_log
from app.producer.http.job_views import read_job
from app.producer.http.route_scopes import allow
from app.producer.services import ServicesDep
from app.producer.ui.page_route import PageRoute
from app.producer.ui.pages import JOBS
from app.producer.ui.refresh import refresh_seconds
from app.producer.ui.rendering import page, redirect
from app.producer.ui.timeline import timeline
from app.protocol.types import QualifiedId

router = APIRouter(route_class=PageRoute, include_in_schema=False)


@router.get("/ui/jobs/{job_id}")
@allow(*JOBS)
async def job_page(
    job_id: QualifiedId, request: Request, services: ServicesDep, owner: OwnerDep
) -> Response:
    """Show a job. It refreshes itself until the job has ended and its log is complete."""
    name = await services.access.job(owner, job_id)
    row, attempts = await run_in_thread(read_attempts, services.jobs, name, owner)
    view = await read_job(services.jobs, row.id, owner)
    log = await job_log(services.jobs, row.id, owner)
    error = view.error["detail"] if view.error else None
    return page(
        request,
        "job.html",
        job=view,
        is_own=owner_of(row.id) == owner,
        steps=timeline(row, attempts, error),
        log=log,
        first=FIRST,
        last=LAST,
        refresh=None if view.ended_at and log.complete else refresh_seconds(request),
    )


@router.get("/ui/job")
@allow(*JOBS)
async def find_job(request: Request, job_id: QualifiedId) -> Response:
    """Go to the page of a job by its id."""
    return redirect(request, f"/ui/jobs/{job_id}")
