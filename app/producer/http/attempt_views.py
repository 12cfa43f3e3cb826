"""Show the attempts of a job."""

from dataclasses import replace

from app.auth.shown_names import shown_text
from app.jobs.attempt_list import AttemptRow, attempts_of
from app.jobs.record import Job
from app.jobs.store import JobStore
from app.producer.http.job_views import find_job


def read_attempts(jobs: JobStore, job_id: str, owner: str) -> tuple[Job, list[AttemptRow]]:
    """Return a job, or the newest one for `latest`, and its attempts.

    `job_id` is a qualified name; the reasons have names as `owner` has them. Raises
    `errors.NotFound`.
    """
    job = find_job(jobs, job_id)
    rows = attempts_of(jobs.engine, job.id)
    shown = [replace(row, reason=row.reason and shown_text(owner, row.reason)) for row in rows]
    return job, shown
