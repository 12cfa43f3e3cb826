"""A row of the job table."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from app.database.engine import connect
from app.database.tables import jobs_table
from app.protocol.types import JobKind, JobStatus

_KINDS = {kind.value for kind in JobKind}
# The columns to read, which are the fields of a Job.
JOB_COLUMNS = [column for column in jobs_table.c if column.name != "inputs"]


def job_columns_without(*names: str) -> list[sa.ColumnElement[Any]]:
    """Return the columns to read, with null in place of the named ones."""
    return [sa.null().label(each.name) if each.name in names else each for each in JOB_COLUMNS]


@dataclass(frozen=True)
class Job:
    """A row of the table, without its inputs. `error` is the last failed attempt's."""

    id: str
    kind: JobKind
    state: JobStatus
    dataset_id: str | None
    request: dict[str, Any]
    attempt: int
    failures: int
    losses: int
    version: int
    worker: str | None
    progress: float | None
    result_key: str | None
    result_sha256: str | None
    metrics: dict[str, float] | None
    fit_summary: dict[str, Any] | None
    result: dict[str, Any] | None
    sync: dict[str, Any] | None
    error: dict[str, Any] | None
    caller: str | None
    size: int
    idempotency_key: str | None
    reply_to: str | None
    correlation_id: str | None
    created_at: datetime
    published_at: datetime | None
    run_after: datetime | None
    started_at: datetime | None
    lease_until: datetime | None
    ended_at: datetime | None

    @property
    def ended(self) -> bool:
        """Whether the job has ended. An ended job never changes again."""
        return self.state not in (JobStatus.QUEUED, JobStatus.RUNNING)


def read_jobs(engine: sa.Engine, query: sa.Select[Any] | sa.CompoundSelect[Any]) -> list[Job]:
    """Return the jobs of a query.

    Older producers write their registered models into this table, too; these rows are left out.
    """
    with connect(engine) as connection:
        rows = connection.execute(query).mappings()
        return [job_from_row(row) for row in rows if row["kind"] in _KINDS]


def job_from_row(row: sa.RowMapping) -> Job:
    """Return a row as a job."""
    return Job(**{**row, "kind": JobKind(row["kind"]), "state": JobStatus(row["state"])})
