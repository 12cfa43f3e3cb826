"""Read the attempts of a job."""

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from app.database.engine import connect
from app.database.tables import attempts_table
from app.jobs.attempt_end import AttemptOutcome
from app.jobs.record import Job


@dataclass(frozen=True)
class AttemptRow:
    """A row of the table; the last three are None while the attempt runs.

    `consumer` is the name of the thread that ran it, and `reason` is None where the outcome says
    all.
    """

    attempt: int
    consumer: str
    started_at: datetime
    ended_at: datetime | None = None
    outcome: AttemptOutcome | None = None
    reason: str | None = None


def attempts_of(engine: sa.Engine, job: Job) -> list[AttemptRow]:
    """Return the newest attempts of a job, at most `KEPT`, the first one first.

    A consumer of an older version writes no rows, so some may be missing.
    Raises `errors.DatabaseUnavailable`.
    """
    column = attempts_table.c
    # Not those of a deleted job that had the same id.
    this = (column.job_id == job.id) & (column.started_at >= job.created_at)
    query = (
        sa.select(*(each for each in column if each is not column.job_id))
        .where(this, column.attempt <= job.attempt)
        .order_by(column.attempt)
    )
    with connect(engine) as connection:
        rows = [dict(row) for row in connection.execute(query).mappings()]
    return [
        AttemptRow(**{**row, "outcome": row["outcome"] and AttemptOutcome(row["outcome"])})
        for row in rows
    ]
