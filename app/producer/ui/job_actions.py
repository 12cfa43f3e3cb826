"""Cancel jobs and run them again: one, or all of a filter, after a page that asks."""

import asyncio
from collections.abc import AsyncIterator, Collection
from dataclasses import replace
from typing import Annotated

from fastapi import APIRouter, Request, Response
from pydantic import Field

from app import errors
from app.auth.identity import Scope
from app.auth.names import qualified, shown
from app.concurrency import run_in_thread
from app.database.paging import Page
from app.jobs.record import Job
from app.producer.callers.access import OwnerDep, own
from app.producer.callers.caller import ActorDep
from app.producer.jobs.job_query import JobQuery, JobQueryDep
from app.producer.jobs.job_views import read_job
from app.producer.routes.jobs import cancel
from app.producer.routes.train import train
from app.producer.routing.route_scopes import allow
from app.producer.schemas.requests import TrainBody
from app.producer.services import Services, ServicesDep
from app.producer.ui.forms import read_fields
from app.producer.ui.jobs_page import NEWEST
from app.producer.ui.page_route import PageRoute
from app.producer.ui.pages import JOBS
from app.producer.ui.rendering import page, redirect
from app.producer.ui.training_job import read_training
from app.protocol.requests import RequestBody
from app.protocol.types import JobKind, JobStatus, QualifiedId
from app.protocol.validation import validate

MOST = 500  # jobs that one form changes
_READ = 100  # jobs a query
_AT_A_TIME = 20
_UNENDED = (JobStatus.QUEUED, JobStatus.RUNNING)
_ENDED = (JobStatus.ERROR, JobStatus.CANCELLED, JobStatus.COMPLETED)


class _AskedAbout(RequestBody):
    """The ids of jobs that a page has asked about."""

    ids: Annotated[list[QualifiedId], Field(max_length=MOST)]


router = APIRouter(route_class=PageRoute, include_in_schema=False)


@router.get("/ui/jobs/{job_id}/cancel")
@allow(*JOBS)
async def ask_cancel(
    job_id: QualifiedId, request: Request, services: ServicesDep, owner: OwnerDep
) -> Response:
    """Ask whether to cancel a job."""
    job = await read_job(services.jobs, own(owner, job_id, "job_id", "job"), owner)
    return _ask(request, "cancel", f"job {job.id}", f"/ui/jobs/{job.id}/cancel", back=job.id)


@router.post("/ui/jobs/{job_id}/cancel")
@allow(*JOBS)
async def cancel_one(
    job_id: QualifiedId,
    request: Request,
    services: ServicesDep,
    owner: OwnerDep,
    by: ActorDep,
) -> Response:
    """Cancel a job. Raises what `DELETE /jobs/{id}` does."""
    await cancel(job_id, services, owner, by)
    return redirect(request, f"/ui/jobs/{job_id}")


@router.get("/ui/jobs/{job_id}/again")
@allow(Scope.TRAIN)
async def ask_again(
    job_id: QualifiedId, request: Request, services: ServicesDep, owner: OwnerDep
) -> Response:
    """Ask whether to run a training again."""
    job = await read_training(services, owner, job_id)
    name = shown(owner, job.id)
    return _ask(request, "again", f"job {name}", f"/ui/jobs/{name}/again", back=name)


@router.post("/ui/jobs/{job_id}/again")
@allow(Scope.TRAIN)
async def run_again(
    job_id: QualifiedId, request: Request, services: ServicesDep, owner: OwnerDep
) -> Response:
    """Accept a new job with the request of an old one. Raises what `POST /train` does."""
    again = await _run_again(request, services, owner, await read_training(services, owner, job_id))
    return redirect(request, f"/ui{again}")


@router.get("/ui/cancel-jobs")
@allow(*JOBS)
async def ask_cancel_all(
    request: Request, services: ServicesDep, owner: OwnerDep, which: JobQueryDep
) -> Response:
    """Ask whether to cancel the jobs of a filter that have not ended."""
    return await _ask_all(request, services, owner, which, "cancel", "/ui/cancel-jobs")


@router.post("/ui/cancel-jobs")
@allow(*JOBS)
async def cancel_all(
    request: Request, services: ServicesDep, owner: OwnerDep, which: JobQueryDep, by: ActorDep
) -> Response:
    """Cancel the jobs of a filter that have not ended, at most `MOST`: those that were asked about.

    Without a form these are all of the filter.
    """
    done, asked = 0, await _asked_about(request, owner)
    for job in [each async for each in _jobs(services, owner, which, "cancel", asked)]:
        done += await run_in_thread(services.jobs.cancel, job.id, by)
    return redirect(request, "/ui/jobs", **which.query, done=done, left=_left(asked, done))


@router.get("/ui/run-jobs-again")
@allow(Scope.TRAIN)
async def ask_again_all(
    request: Request, services: ServicesDep, owner: OwnerDep, which: JobQueryDep
) -> Response:
    """Ask whether to run the trainings of a filter again that have ended."""
    return await _ask_all(request, services, owner, which, "again", "/ui/run-jobs-again")


@router.post("/ui/run-jobs-again")
@allow(Scope.TRAIN)
async def run_all_again(
    request: Request, services: ServicesDep, owner: OwnerDep, which: JobQueryDep
) -> Response:
    """Run the trainings of a filter again that have ended, as `cancel_all` cancels jobs.

    The first one that is refused ends it, and the error says how many were accepted before.
    """
    done, asked = 0, await _asked_about(request, owner)
    jobs = [each async for each in _jobs(services, owner, which, "again", asked)]
    for begin in range(0, len(jobs), _AT_A_TIME):
        some = jobs[begin : begin + _AT_A_TIME]
        calls = (_run_again(request, services, owner, each) for each in some)
        ended = await asyncio.gather(*calls, return_exceptions=True)
        done += sum(isinstance(each, str) for each in ended)
        for each in ended:
            if isinstance(each, errors.WarrenError):
                each.detail = f"{done} of {len(jobs)} trainings run again; then: {each.detail}"
            if isinstance(each, BaseException):
                raise each
    return redirect(request, "/ui/jobs", kind="train", done=done, left=_left(asked, done))


def _left(asked: Collection[str] | None, done: int) -> int | None:
    """Return how many of the jobs that were asked about are as they were, or None if none is."""
    return (len(set(asked)) - done or None) if asked else None


async def _run_again(request: Request, services: Services, owner: str, job: Job) -> str:
    """Accept a new training with the request of a job; return the path of the new job."""
    if job.shortened:
        job = await read_training(services, owner, job.id)
    asked = {name: value for name, value in job.request.items() if name in TrainBody.model_fields}
    answer = await train(validate(TrainBody, asked), request, services, owner)
    root = request.scope.get("root_path", "")
    return answer.headers["location"].removeprefix(root)


async def _asked_about(request: Request, owner: str) -> list[str] | None:
    """Return the jobs that the page has asked about, None if none was shown.

    Jobs that came to the filter since are not among them. Raises `errors.Invalid`.
    """
    if (sent := (await read_fields(request)).get("ids")) is None:
        return None
    return [qualified(owner, each) for each in validate(_AskedAbout, {"ids": sent.split(",")}).ids]


async def _jobs(
    services: Services,
    owner: str,
    which: JobQuery,
    action: str,
    asked: Collection[str] | None = None,
) -> AsyncIterator[Job]:
    """Yield the jobs of a filter that an action can change, the newest first, at most `MOST`.

    They are among those that were `asked` about, unless that is None. Each state is a query of its
    own, because that of all states would read the whole history.
    """
    wanted, left = replace(which.filter(owner), ids=asked), MOST
    if action == "again":
        if wanted.kind not in (None, JobKind.TRAIN):
            return
        wanted = replace(wanted, kind=JobKind.TRAIN)
    for state in _UNENDED if action == "cancel" else _ENDED:
        if which.state not in (None, state):
            continue
        cursor = None
        while left:
            part = Page(min(_READ, left), NEWEST, cursor)
            jobs, cursor = await run_in_thread(
                services.jobs.list, replace(wanted, state=state), part
            )
            for job in jobs:
                left -= 1
                yield job
            if cursor is None:
                break


async def _ask_all(
    request: Request, services: Services, owner: str, which: JobQuery, action: str, path: str
) -> Response:
    jobs = [each async for each in _jobs(services, owner, which, action)]
    about = "training" if action == "again" else "job"
    what = f"{len(jobs):,} {about}{'' if len(jobs) == 1 else 's'}"
    named = [shown(owner, each.id) for each in jobs]
    return _ask(request, action, what, path, which=which, jobs=named, count=len(jobs))


def _ask(
    request: Request,
    action: str,
    what: str,
    path: str,
    *,
    back: str | None = None,
    which: JobQuery | None = None,
    jobs: list[str] | None = None,
    count: int = 1,
) -> Response:
    return page(
        request,
        "confirm.html",
        action=action,
        what=what,
        path=path,
        back=back,
        which=which or JobQuery(),
        jobs=jobs or [],
        count=count,
        most=MOST,
    )
