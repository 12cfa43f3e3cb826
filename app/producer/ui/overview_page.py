"""`/ui`: what runs, what waits, what failed."""

from fastapi import APIRouter, Request, Response

from app.amqp.topology import DEAD_LETTER_QUEUE
from app.auth.identity import Scope
from app.database.paging import Page
from app.producer.http.access import OwnerDep
from app.producer.http.caller import identity_of
from app.producer.http.job_query import JobQuery
from app.producer.http.route_scopes import allow
from app.producer.schemas.jobs import JobSummary
from app.producer.services import ServicesDep
from app.producer.ui.jobs_page import NEWEST, summaries
from app.producer.ui.overview import MOST_COUNTED, Look
from app.producer.ui.page_route import PageRoute
from app.producer.ui.pages import JOBS
from app.producer.ui.refresh import refresh_seconds
from app.producer.ui.rendering import page
from app.protocol.types import JobStatus

_LAST = 8  # jobs
_OPERATORS = frozenset((Scope.METRICS, Scope.ADMIN))

router = APIRouter(route_class=PageRoute, include_in_schema=False)


@router.get("/ui")
@allow(*Scope)
async def overview_page(request: Request, services: ServicesDep, owner: OwnerDep) -> Response:
    """Show the states of the jobs, the newest jobs, and to operators the queues and services."""
    look: Look = request.app.state.look
    scopes = identity_of(request.scope).scopes
    counts: dict[JobStatus, int] = {}
    newest: list[JobSummary] = []
    broker = None
    if not scopes.isdisjoint(JOBS):
        counts = await look.jobs(services, owner)
        newest, _ = await summaries(services, owner, JobQuery(), Page(_LAST, NEWEST))
    if not scopes.isdisjoint(_OPERATORS):
        broker = await look.broker(services, owner)
    return page(
        request,
        "overview.html",
        counts=counts,
        most=MOST_COUNTED,
        jobs=newest,
        broker=broker,
        dead=broker.queues[DEAD_LETTER_QUEUE] if broker else None,
        refresh=refresh_seconds(request),
    )
