"""`/ui`: what runs, what waits, what failed."""

from typing import Any

from fastapi import APIRouter, Request, Response

from app.amqp.topology import DEAD_LETTER_QUEUE
from app.auth.identity import Scope
from app.concurrency import run_in_thread
from app.database.paging import Page
from app.jobs.listing import JobFilter, Place
from app.producer.callers.access import OwnerDep
from app.producer.callers.caller import identity_of
from app.producer.routing.route_scopes import allow
from app.producer.services import ServicesDep
from app.producer.ui.jobs_page import NEWEST, summaries
from app.producer.ui.kept_pages import KeptPages
from app.producer.ui.overview import MOST_COUNTED, Look
from app.producer.ui.page_route import PageRoute
from app.producer.ui.pages import JOBS
from app.protocol.types import JobStatus

_LAST = 8  # jobs
_OPERATORS = frozenset((Scope.METRICS, Scope.ADMIN))

router = APIRouter(route_class=PageRoute, include_in_schema=False)


@router.get("/ui")
@allow(*Scope)
async def overview_page(request: Request, services: ServicesDep, owner: OwnerDep) -> Response:
    """Show the states of the jobs, the newest jobs, and to operators the queues and services."""
    look: Look = request.app.state.look
    kept: KeptPages = request.app.state.kept_pages
    scopes = identity_of(request.scope).scopes
    counts: dict[JobStatus, int] = {}
    newest, broker = Page(_LAST, NEWEST), None
    places: list[Place] = []
    if not scopes.isdisjoint(JOBS):
        counts = await look.jobs(services, owner)
        places = await run_in_thread(services.jobs.places, JobFilter(owner), newest)
    if not scopes.isdisjoint(_OPERATORS):
        broker = await look.broker(services, owner)

    async def values() -> dict[str, Any]:
        jobs = (await summaries(services, owner, places, newest))[0] if places else []
        return {
            "counts": counts,
            "most": MOST_COUNTED,
            "jobs": jobs,
            "broker": broker,
            "dead": broker.queues[DEAD_LETTER_QUEUE] if broker else None,
        }

    return await kept.page(request, "overview.html", (counts, places, broker), values)
