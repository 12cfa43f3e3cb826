"""Show a job once, or stream it with each change until its end."""

from collections.abc import AsyncIterator
from contextlib import suppress
from datetime import UTC, datetime
from typing import TypeVar

import anyio
from sse_starlette import ServerSentEvent

from app import errors
from app.concurrency import run_in_thread
from app.inference.agreement import predictions_differ
from app.jobs.long_answers import read_answers, read_predictions
from app.jobs.record import Job
from app.jobs.store import JobStore
from app.producer.schemas.jobs import JobSummary, JobView
from app.protocol.fit_progress import share_of_fit
from app.protocol.types import JobStatus

POLL_SECONDS = 0.5  # between two reads of the row
CLOSE_SECONDS = 2.0  # how long a stream may take to end at shutdown
INTERNAL_KEYS = ("sha256",)  # internal keys of a request

ViewT = TypeVar("ViewT", bound=JobSummary)


async def read_job(jobs: JobStore, job_id: str) -> JobView:
    """Return the job, or the newest one for `latest`, as its row is now, without long answers.

    Raises `errors.NotFound`.
    """
    return await run_in_thread(_read, jobs, job_id)


async def read_long_job(jobs: JobStore, view: JobView) -> bytes:
    """Return the JSON of a job with the long answers that its `view` leaves out.

    Their text is not parsed. It would take ten times the memory, and hold up the event loop.
    """
    return await run_in_thread(_with_answers, jobs, view)


async def job_changes(
    jobs: JobStore, job_id: str, known: int, closing: anyio.Event
) -> AsyncIterator[ServerSentEvent]:
    """Yield the job with each change after the version `known`, until its end or `closing`.

    The id of an event is the version. A client that reconnects sends the last id it has seen.
    """
    while not closing.is_set():
        with suppress(errors.Unavailable):  # the stream goes on while the database is unavailable
            seen = await run_in_thread(jobs.version, job_id)
            if seen is None:
                return
            version, ended = seen
            if version > known:  # only then read the whole row, because its result may be long
                view = await read_job(jobs, job_id)
                known, ended = view.version, view.ended_at is not None
                yield ServerSentEvent(view.model_dump_json(), event="job", id=str(known))
            if ended:
                return
        with anyio.move_on_after(POLL_SECONDS):
            await closing.wait()


def job_view(form: type[ViewT], job: Job) -> ViewT:
    """Return the view `form` of a job, without the internal keys of its request.

    The view has the members of the fit summary beside the other columns.
    """
    request = {name: value for name, value in job.request.items() if name not in INTERNAL_KEYS}
    asked = {"request": request or None}
    return form.model_validate({**(job.fit_summary or {}), **vars(job), **asked})


def _read(jobs: JobStore, job_id: str) -> JobView:
    job = jobs.show(job_id)
    if job is None:
        raise errors.NotFound("job_id", f"there is no job {job_id}")
    view = job_view(JobView, job)
    view.queue_position = jobs.position(job) if job.state is JobStatus.QUEUED else None
    if job.state is JobStatus.RUNNING and job.started_at:
        view.seconds_left = seconds_left(job.progress, job.started_at, datetime.now(UTC))
    view.disagree = _disagree(jobs, job)
    return view


def _with_answers(jobs: JobStore, view: JobView) -> bytes:
    answers = read_answers(jobs.engine, view.id)
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


def seconds_left(progress: float | None, started_at: datetime, now: datetime) -> float | None:
    """Estimate the seconds left, as if the fit continued at its pace; None if that is not known."""
    share = share_of_fit(progress or 0.0)
    if share is None:
        return None
    passed = (now - started_at).total_seconds()
    return round(max(0.0, passed * (1 - share) / share), 1)
