"""`/ui/jobs`: the jobs of a filter, page by page."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from app.concurrency import run_in_thread
from app.database.paging import Page
from app.jobs.listing import SORTS
from app.producer.http.access import OwnerDep
from app.producer.http.job_query import JobQuery, JobQueryDep
from app.producer.http.job_views import job_view
from app.producer.http.list_parameters import Cursor, sorted_by
from app.producer.http.route_scopes import allow
from app.producer.schemas.jobs import JobSummary
from app.producer.services import Services, ServicesDep
from app.producer.ui.page_route import PageRoute
from app.producer.ui.pages import JOBS
from app.producer.ui.refresh import refresh_seconds
from app.producer.ui.rendering import page
from app.protocol.estimators import ESTIMATORS
from app.protocol.types import JobStatus

NEWEST = "-created_at"
_ROWS = 50
STATES = tuple(each for each in JobStatus if each is not JobStatus.RECEIVED)

router = APIRouter(route_class=PageRoute, include_in_schema=False)


@router.get("/ui/jobs")
@allow(*JOBS)
async def jobs_page(
    request: Request,
    services: ServicesDep,
    owner: OwnerDep,
    which: JobQueryDep,
    sort: Annotated[str, sorted_by(*SORTS, metrics=False)] = NEWEST,
    cursor: Cursor = None,
    done: Annotated[int | None, Query(ge=0)] = None,
    left: Annotated[int | None, Query(ge=0)] = None,
) -> Response:
    """Show the jobs of a filter, the newest first unless `sort` says otherwise."""
    found, following = await summaries(services, owner, which, Page(_ROWS, sort, cursor))
    return page(
        request,
        "jobs.html",
        jobs=found,
        which=which,
        sort=sort,
        following=following,
        is_first=cursor is None,
        done=done,
        left=left,
        states=STATES,
        estimators=sorted(ESTIMATORS),
        refresh=refresh_seconds(request),
    )


async def summaries(
    services: Services, owner: str, which: JobQuery, part: Page
) -> tuple[list[JobSummary], str | None]:
    """Return a page of jobs as `owner` sees them, and the cursor of the next one."""
    found, following = await run_in_thread(services.jobs.list, which.filter(owner), part)
    return [job_view(JobSummary, each, owner) for each in found], following
