"""Show a job once, or stream it with each change until its end."""

from collections.abc import AsyncIterator
from contextlib import suppress
from datetime import UTC, datetime
from typing import TypeVar

import anyio
from sse_starlette import ServerSentEvent

from app import errors
from app.auth.identity import DEFAULT_OWNER
from app.auth.names import owner_of, qualified
from app.auth.shown_names import shown_error, shown_members
from app.concurrency import run_in_thread
from app.inference.agreement import predictions_differ
from app.jobs.long_answers import read_answers, read_predictions
from app.jobs.record import Job, no_job
from app.jobs.store import JobStore
from app.producer.jobs.job_watch import JobWatch, Shown
from app.producer.schemas.jobs import JobSummary, JobView
from app.protocol.fit_progress import share_of_fit
from app.protocol.tags import tags_of
from app.protocol.training_request import UNKNOWN_KEYS
from app.protocol.types import JobKind, JobStatus

CLOSE_SECONDS = 2.0  # how long a stream may take to end at shutdown
INTERNAL_KEYS = ("sha256", UNKNOWN_KEYS)  # internal keys of a request

_NAMES = ("model_id", "model", "dataset_id", "sync_model_id")  # members of a request

ViewT = TypeVar("ViewT", bound=JobSummary)


async def read_job(jobs: JobStore, job_id: str, owner: str = DEFAULT_OWNER) -> JobView:
    """Return the job, or the newest one for `latest`, as its row is now, without long answers.

    `job_id` is a qualified name; the view has names as `owner` has them. Raises `errors.NotFound`.
    """
    return await run_in_thread(_read, jobs, job_id, owner)


async def read_long_job(jobs: JobStore, job_id: str, view: JobView) -> bytes:
    """Return the JSON of a job with the long answers that its `view` leaves out.

    Their text is not parsed. It would take ten times the memory, and hold up the event loop.
    """
    return await run_in_thread(_with_answers, jobs, job_id, view)


async def job_changes(
    watch: JobWatch, job_id: str, owner: str, known: int, closing: anyio.Event
) -> AsyncIterator[ServerSentEvent]:
    """Yield the job with each change after the version `known`, until its end or `closing`.

    The id of an event is the version. A client that reconnects sends the last id it has seen.
    """
    seen = -1
    while not closing.is_set():
        with suppress(errors.Unavailable):  # the stream goes on while the database is unavailable
            try:
                shown = await watch.show(job_id, owner)
            except errors.NotFound:
                return
            seen = shown.version
            if seen > known:
                known = seen
                yield ServerSentEvent(shown.text, event="job", id=str(known))
            if shown.ended:
                return
        await watch.changed(job_id, seen, closing.is_set)


def show_job(jobs: JobStore, job_id: str, owner: str = DEFAULT_OWNER) -> Shown:
    """Read a job as its events show it to `owner`. Raises `errors.NotFound`."""
    view = _read(jobs, job_id, owner)
    return Shown(
        qualified(owner, view.id), view.model_dump_json(), view.version, view.ended_at is not None
    )


def job_view(form: type[ViewT], job: Job, owner: str = DEFAULT_OWNER) -> ViewT:
    """Return the view `form` of a job, without the internal keys of its request.

    The view has the members of the fit summary beside the other columns, and names as `owner` has
    them. The names in its answers are those of the job's owner, who alone may see them. So is the
    name that a training gives its model.
    """
    hidden = INTERNAL_KEYS if owner_of(job.id) == owner else (*INTERNAL_KEYS, "name")
    request = {name: value for name, value in job.request.items() if name not in hidden}
    asked = {
        "request": shown_members(owner, request, _NAMES) or None,
        "tags": tags_of(job.tags),
        "error": job.error and shown_error(owner, job.error),
    }
    row = shown_members(owner, vars(job), ("id", "dataset_id"))
    return form.model_validate({**(job.fit_summary or {}), **row, **asked})


def find_job(jobs: JobStore, job_id: str) -> Job:
    """Return the job, or the newest one for `latest`, without long answers.

    `job_id` is a qualified name. Raises `errors.NotFound`.
    """
    job = jobs.show(job_id)
    if job is None:
        raise no_job(job_id)
    return job


def _read(jobs: JobStore, job_id: str, owner: str) -> JobView:
    return whole_view(jobs, find_job(jobs, job_id), owner)


def whole_view(jobs: JobStore, job: Job, owner: str) -> JobView:
    """Return the view of a job that was read, with its place in the queue and the time left."""
    view = job_view(JobView, job, owner)
    view.queue_position = jobs.position(job) if job.state is JobStatus.QUEUED else None
    if job.state is JobStatus.RUNNING and job.started_at:
        view.seconds_left = seconds_left(job.progress, job.started_at, datetime.now(UTC), job.kind)
    view.disagree = _disagree(jobs, job)
    return view


def _with_answers(jobs: JobStore, job_id: str, view: JobView) -> bytes:
    answers = read_answers(jobs.engine, job_id)
    whole = view.model_copy(update={"shortened": False})
    members = [whole.model_dump_json(exclude=set(answers))[:-1]]
    members += [f'"{name}":{text}' for name, text in answers.items()]
    return (",".join(members) + "}").encode()


def _disagree(jobs: JobStore, job: Job) -> bool | None:
    """Tell whether both models answered, and differ."""
    if "tolerance" not in job.request or job.state is not JobStatus.COMPLETED:
        return None
    if job.sync and job.sync["status"] != JobStatus.COMPLETED:
        return None
    if job.sync and job.result:
        fast, late = job.sync["prediction"], job.result["prediction"]
    else:  # one is long
        fast, late = read_predictions(jobs.engine, job.id)
    return predictions_differ(fast, late, job.request["tolerance"])


def seconds_left(
    progress: float | None, started_at: datetime, now: datetime, kind: JobKind = JobKind.TRAIN
) -> float | None:
    """Estimate the seconds left, as if the job continued at its pace; None if that is not known.

    The pace of a training is that of its fit; that of a batch job is that of its parts.
    """
    done = progress or 0.0
    share = (done or None) if kind is JobKind.BATCH else share_of_fit(done)
    if share is None:
        return None
    passed = (now - started_at).total_seconds()
    return round(max(0.0, passed * (1 - share) / share), 1)
