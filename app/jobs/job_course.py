"""The course of a job: its row, its attempts and its log, of one read of the row."""

from dataclasses import dataclass

import sqlalchemy as sa

from app.database.engine import connect
from app.jobs.attempt_list import AttemptRow, attempts_of
from app.jobs.job_log import LOG_COLUMNS, MAX_LINES, JobLog, LogHead, read_lines
from app.jobs.reader import of_job
from app.jobs.record import KINDS, Job, job_from_row, shown_columns


@dataclass(frozen=True)
class JobCourse:
    """A job without answers that are long, its attempts and the newest lines of its log."""

    job: Job
    attempts: list[AttemptRow]
    log: JobLog


def read_course(engine: sa.Engine, job_id: str, lines: int = MAX_LINES) -> JobCourse | None:
    """Return the course of a job with at most so many `lines`.

    `latest` is the newest job of its owner. Return None if there is no such job. Raises
    `errors.DatabaseUnavailable`.
    """
    query = of_job(sa.select(*shown_columns(), *LOG_COLUMNS), job_id)
    with connect(engine) as connection:
        found = connection.execute(query).mappings().one_or_none()
    if found is None or found["kind"] not in KINDS:
        return None
    row = dict(found)
    total, complete = (row.pop(each.name) for each in LOG_COLUMNS)
    job = job_from_row(row)
    # The lines after the row: if it says that the log is complete, all lines are there by now.
    log = read_lines(engine, LogHead(job.id, total, bool(complete)), limit=lines, newest=True)
    return JobCourse(job, attempts_of(engine, job), log)
