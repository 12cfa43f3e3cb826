"""`/jobs/{id}/log`: what the consumers logged about a job."""

from typing import Annotated

from fastapi import APIRouter, Query

from app.auth.identity import Scope
from app.jobs.job_log import MAX_LINES
from app.producer.callers.access import OwnerDep
from app.producer.jobs.job_log import job_log
from app.producer.routing.parameters import JobInPath
from app.producer.routing.route_scopes import allow
from app.producer.routing.strict_route import StrictRoute, problem_responses
from app.producer.schemas.job_log import JobLogView
from app.producer.services import ServicesDep

_After = Annotated[
    int,
    Query(
        ge=0,
        lt=2**31,
        description="Only lines behind the one of this number: the member `next` of the answer "
        "before.",
        examples=[0],
    ),
]
_Limit = Annotated[
    int, Query(ge=1, le=MAX_LINES, description="How many lines to return at most.", examples=[100])
]

router = APIRouter(route_class=StrictRoute, tags=["jobs"])


@router.get(
    "/jobs/{job_id}/log",
    response_model=JobLogView,
    responses=problem_responses(404, 422, 503),
)
@allow(Scope.JOBS, Scope.TRAIN, Scope.PREDICT)
async def log(
    job_id: JobInPath,
    services: ServicesDep,
    owner: OwnerDep,
    after: _After = 0,
    limit: _Limit = MAX_LINES,
) -> JobLogView:
    """Return what the consumers logged about a training or a batch job, of all attempts.

    To follow a job, ask for the lines behind `next` until the answer is `complete`. Prediction jobs
    have no lines.
    """
    name = await services.access.job(owner, job_id)
    return await job_log(services.jobs, name, owner, after, limit)
