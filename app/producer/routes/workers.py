"""`GET /workers`: the consumers that are heard of."""

from dataclasses import asdict

from fastapi import APIRouter

from app.auth.identity import Scope
from app.concurrency import run_in_thread
from app.jobs.workers import known_workers
from app.observability.version import running_version
from app.producer.answers.worker_versions import has_skew
from app.producer.routing.route_scopes import allow
from app.producer.routing.strict_route import StrictRoute, problem_responses
from app.producer.schemas.workers import Workers, WorkerView
from app.producer.services import ServicesDep

router = APIRouter(route_class=StrictRoute, tags=["health"])


@router.get("/workers", response_model=Workers, responses=problem_responses(422, 503))
@allow(Scope.METRICS, Scope.ADMIN)
async def workers(services: ServicesDep) -> Workers:
    """List the consumers: where they run, what they do, and when they were heard of last.

    Each one reports every ten seconds. One that ends well leaves the list at once, one that is lost
    after an hour.
    """
    known = await run_in_thread(known_workers, services.jobs.engine)
    views = [
        WorkerView(**{**asdict(each), "memory_bytes": each.memory, "state": each.state})
        for each in known
    ]
    return Workers(version=running_version(), version_skew=has_skew(known), workers=views)
