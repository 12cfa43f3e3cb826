"""The attempts of a job: `/jobs/{id}/attempts`."""

from dataclasses import asdict

from fastapi import APIRouter

from app.auth.identity import Scope
from app.concurrency import run_in_thread
from app.producer.callers.access import OwnerDep
from app.producer.jobs.attempt_views import read_attempts
from app.producer.routing.parameters import JobInPath
from app.producer.routing.route_scopes import allow
from app.producer.routing.strict_route import StrictRoute, problem_responses
from app.producer.schemas.attempts import Attempts, AttemptView
from app.producer.services import ServicesDep

router = APIRouter(route_class=StrictRoute, tags=["jobs"])


@router.get(
    "/jobs/{job_id}/attempts",
    response_model=Attempts,
    responses=problem_responses(404, 422, 503),
)
@allow(Scope.JOBS, Scope.TRAIN, Scope.PREDICT)
async def job_attempts(job_id: JobInPath, services: ServicesDep, owner: OwnerDep) -> Attempts:
    """List the attempts of a job: when and where each one ran, and how it ended."""
    name = await services.access.job(owner, job_id)
    rows = await run_in_thread(read_attempts, services.jobs, name, owner)
    return Attempts(attempts=[AttemptView(**asdict(each)) for each in rows])
