"""What the UPDATEs of jobs share: the states that they start from, and the values of an end."""

from typing import Any

import sqlalchemy as sa

from app.database.engine import database_now
from app.database.tables import jobs_table
from app.jobs.requeue import ENDED_SIZE
from app.protocol.types import JobStatus

IS_RUNNING = jobs_table.c.state == JobStatus.RUNNING
UNENDED = jobs_table.c.state.in_([JobStatus.QUEUED, JobStatus.RUNNING])
NEW_VERSION: dict[str, Any] = {"version": jobs_table.c.version + 1}
END = {
    **NEW_VERSION,
    "ended_at": database_now(),
    "run_after": None,
    "inputs": None,
    "size": ENDED_SIZE,
}


def held_by(job_id: str, attempt: int) -> list[sa.ColumnElement[bool]]:
    """Return the condition that an attempt holds its job."""
    return [jobs_table.c.id == job_id, IS_RUNNING, jobs_table.c.attempt == attempt]
