"""`/ui/jobs`: the jobs of a filter, page by page."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response

from app.concurrency import run_in_thread
from app.database.paging import Page
from app.jobs.listing import SORTS, Place
from app.producer.callers.access import OwnerDep
from app.producer.jobs.job_query import JobQueryDep
from app.producer.jobs.job_views import job_view
from app.producer.routing.list_parameters import Cursor, sorted_by
from app.producer.routing.route_scopes import allow
from app.producer.schemas.jobs import JobSummary
from app.producer.services import Services, ServicesDep
from app.producer.ui.kept_pages import KeptPages
from app.producer.ui.page_route import PageRoute
from app.producer.ui.pages import JOBS
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
    kept: KeptPages = request.app.state.kept_pages
    part = Page(_ROWS, sort, cursor)
    places = await run_in_thread(services.jobs.places, which.filter(owner), part)

    async def values() -> dict[str, Any]:
        found, following = await summaries(services, owner, places, part)
        return {
            "jobs": found,
            "which": which,
            "sort": sort,
            "following": following,
            "is_first": cursor is None,
            "done": done,
            "left": left,
            "states": STATES,
            "estimators": sorted(ESTIMATORS),
        }

    return await kept.page(request, "jobs.html", places, values)


async def summaries(
    services: Services, owner: str, places: list[Place], part: Page
) -> tuple[list[JobSummary], str | None]:
    """Return the jobs at some places as `owner` sees them, and the cursor of the next one."""

    def read() -> tuple[list[JobSummary], str | None]:
        found, following = services.jobs.at(places, part)
        return [job_view(JobSummary, each, owner) for each in found], following

    return await run_in_thread(read)
