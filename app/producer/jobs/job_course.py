"""Show the course of a job: all that its page tells."""

from dataclasses import dataclass

from app.jobs.attempt_list import AttemptRow
from app.jobs.job_course import read_course
from app.jobs.record import Job, no_job
from app.jobs.store import JobStore
from app.producer.jobs.attempt_views import shown_attempts
from app.producer.jobs.job_log import log_view
from app.producer.jobs.job_views import whole_view
from app.producer.schemas.job_log import JobLogView
from app.producer.schemas.jobs import JobView


@dataclass(frozen=True)
class ShownCourse:
    """A job's row, and its view, attempts and log with names as an owner has them."""

    row: Job
    view: JobView
    attempts: list[AttemptRow]
    log: JobLogView


def show_course(jobs: JobStore, job_id: str, owner: str, lines: int) -> ShownCourse:
    """Return the course of a job, or of the newest one for `latest`, with so many new `lines`.

    `job_id` is a qualified name. Raises `errors.NotFound`.
    """
    found = read_course(jobs.engine, job_id, lines)
    if found is None:
        raise no_job(job_id)
    return ShownCourse(
        found.job,
        whole_view(jobs, found.job, owner),
        shown_attempts(found.attempts, owner),
        log_view(found.log, owner),
    )
