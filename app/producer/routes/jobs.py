"""Jobs: `/jobs`, `/jobs/{id}` and its result."""

from functools import partial
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query, Request, Response
from starlette.responses import StreamingResponse

from app import errors
from app.auth.identity import Scope
from app.auth.names import is_latest, qualified, shown
from app.concurrency import run_in_thread
from app.database.paging import Page
from app.jobs.listing import SORTS
from app.jobs.record import no_job
from app.producer.answers.download import download
from app.producer.callers.access import OwnerDep, own
from app.producer.callers.caller import ActorDep
from app.producer.jobs.job_query import JobQuery
from app.producer.jobs.job_views import job_view, read_job, read_long_job
from app.producer.routing.conditional_route import NOT_MODIFIED
from app.producer.routing.examples import example
from app.producer.routing.list_parameters import (
    Cursor,
    Metric,
    OfEstimator,
    OfName,
    WithTag,
    WithText,
    next_link,
    sorted_by,
)
from app.producer.routing.parameters import JobInPath, Limit
from app.producer.routing.route_scopes import allow
from app.producer.routing.strict_route import StrictRoute, problem_responses
from app.producer.schemas.jobs import Jobs, JobSummary, JobView
from app.producer.services import ServicesDep
from app.protocol.examples import CANCELLED_JOB_ID, DATASET_ID, SCORED_JOB_ID
from app.protocol.types import (
    CSV_MEDIA_TYPE,
    JSON_MEDIA_TYPE,
    LATEST,
    PARQUET_MEDIA_TYPE,
    JobKind,
    JobStatus,
    QualifiedId,
)

_ScoredId = Annotated[
    QualifiedId,
    Path(
        description="A batch job, or `latest`: the newest job.",
        openapi_examples=example(SCORED_JOB_ID),
    ),
]
_CancelledId = Annotated[
    QualifiedId, Path(description="The job to cancel.", openapi_examples=example(CANCELLED_JOB_ID))
]
_State = Annotated[
    JobStatus | None, Query(description="Only jobs in this state.", examples=[JobStatus.RUNNING])
]
_Kind = Annotated[
    Literal["train", "predict", "batch"] | None,
    Query(description="Only jobs of this kind.", examples=["train"]),
]
_DatasetId = Annotated[
    QualifiedId | None, Query(description="Only trainings on this data set.", examples=[DATASET_ID])
]
_Sort = Annotated[
    str,
    sorted_by(*SORTS),
    Query(
        description="What the list is sorted by: `created_at`, `started_at`, `ended_at`, or a "
        "metric such as `metrics.r2`. A minus in front puts the largest first. Jobs without that "
        "value are left out.",
        examples=["-metrics.r2"],
    ),
]

_FORMATS = {"csv": CSV_MEDIA_TYPE, "parquet": PARQUET_MEDIA_TYPE}

router = APIRouter(route_class=StrictRoute, tags=["jobs"])


@router.get("/jobs", response_model=Jobs, responses=problem_responses(422, 503))
@allow(Scope.JOBS, Scope.TRAIN)
async def jobs(
    request: Request,
    response: Response,
    services: ServicesDep,
    owner: OwnerDep,
    state: _State = None,
    kind: _Kind = None,
    dataset_id: _DatasetId = None,
    estimator: OfEstimator = None,
    tag: WithTag = None,
    metric: Metric = None,
    name: OfName = None,
    text: WithText = None,
    sort: _Sort = "-created_at",
    limit: Limit = 100,
    cursor: Cursor = None,
) -> dict[str, Any]:
    """List jobs: the newest first, unless `sort` says otherwise.

    A list that goes on has a `next`, which is the `cursor` of its next page; the header `Link` has
    the whole address of it.
    """
    asked = JobQuery(state, kind, dataset_id, estimator, tag, metric, name, text)
    page = Page(limit, sort, cursor)
    found, following = await run_in_thread(services.jobs.list, asked.filter(owner), page)
    response.headers.update(next_link(request, following))
    return {"jobs": [job_view(JobSummary, each, owner) for each in found], "next": following}


@router.get("/job/{job_id}", include_in_schema=False, response_model=JobView)
@router.get(
    "/jobs/{job_id}",
    response_model=JobView,
    responses=problem_responses(404, 422, 503),
)
@allow(Scope.JOBS, Scope.TRAIN, Scope.PREDICT)
async def job(job_id: JobInPath, services: ServicesDep, owner: OwnerDep) -> JobView | Response:
    """Return a job: its state, progress, times, result, error and attempts.

    `latest` is the newest job.
    """
    name = await services.access.job(owner, job_id)
    view = await read_job(services.jobs, name, owner)
    if not view.shortened:
        return view
    async with services.long_answers:
        body = await read_long_job(services.jobs, qualified(owner, view.id), view)
        return Response(body, media_type=JSON_MEDIA_TYPE)


@router.get(
    "/jobs/{job_id}/result",
    response_class=StreamingResponse,
    responses={
        **NOT_MODIFIED,
        **problem_responses(404, 409, 422, 503),
        200: {
            "description": "The file",
            "content": {
                CSV_MEDIA_TYPE: {"schema": {"type": "string"}},
                PARQUET_MEDIA_TYPE: {"schema": {"type": "string", "format": "binary"}},
            },
        },
    },
)
@allow(Scope.JOBS, Scope.PREDICT)
async def job_result(
    job_id: _ScoredId, request: Request, services: ServicesDep, owner: OwnerDep
) -> Response:
    """Return the file that a batch job has made. Its `ETag` is the sha256 of the file."""
    found = await run_in_thread(services.jobs.show, own(owner, job_id, "job_id", "job"))
    if found is None:
        raise no_job(job_id)
    if found.kind is not JobKind.BATCH:
        raise errors.NotFound(
            "job_id", f"job {job_id} makes no file; GET /jobs/{job_id} has its end"
        )
    if found.state is not JobStatus.COMPLETED or found.result_key is None:
        cause = f": {found.error['detail']}" if found.error else ""
        raise errors.NotReady(
            "job_id", f"job {job_id} has no result, it is {found.state}{cause}", state=found.state
        )
    form = (found.result or {})["format"]
    return download(
        request,
        services.download_place,
        partial(services.batch_files.open, found.result_key),
        name=f"{shown(owner, found.id)}.{form}",
        media_type=_FORMATS[form],
        tag=str(found.result_sha256),
    )


@router.delete(
    "/jobs/{job_id}",
    response_model=JobView,
    responses=problem_responses(404, 409, 422, 503),
)
@allow(Scope.JOBS, Scope.TRAIN)
async def cancel(
    job_id: _CancelledId, services: ServicesDep, owner: OwnerDep, by: ActorDep
) -> JobView:
    """Cancel a job: a waiting one ends at once, a running one within 2 seconds."""
    name = own(owner, job_id, "job_id", "job")
    if is_latest(name):
        raise errors.Invalid("job_id", f"{LATEST} may be another job by now; use the job's id")
    applied = await run_in_thread(services.jobs.cancel, name, by)
    found = await read_job(services.jobs, name, owner)
    if not applied and found.state is not JobStatus.CANCELLED:
        raise errors.JobEnded(f"job_id: job {job_id} has ended: {found.state}", state=found.state)
    return found
