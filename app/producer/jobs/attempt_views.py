"""Show the attempts of a job."""

from collections.abc import Sequence
from dataclasses import replace

from app.auth.shown_names import shown_text
from app.jobs.attempt_list import AttemptRow, attempts_of
from app.jobs.store import JobStore
from app.producer.jobs.job_views import find_job


def read_attempts(jobs: JobStore, job_id: str, owner: str) -> list[AttemptRow]:
    """Return the attempts of a job, or of the newest one for `latest`, as `owner` sees them.

    `job_id` is a qualified name. Raises `errors.NotFound`.
    """
    job = find_job(jobs, job_id)
    return shown_attempts(attempts_of(jobs.engine, job), owner)


def shown_attempts(rows: Sequence[AttemptRow], owner: str) -> list[AttemptRow]:
    """Return attempts whose reasons have names as `owner` has them."""
    return [replace(row, reason=row.reason and shown_text(owner, row.reason)) for row in rows]
