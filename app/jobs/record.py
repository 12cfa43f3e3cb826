"""A row of the job table."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa

from app.database.engine import connect
from app.database.tables import jobs_table
from app.protocol.types import JobStatus

# What is read of a row, and what the fields of a Job are.
JOB_COLUMNS = [column for column in jobs_table.c if column.name != "inputs"]


def job_columns_without(*names: str) -> list[sa.ColumnElement[Any]]:
    """Return what is read of a row, with null for these columns."""
    return [sa.null().label(each.name) if each.name in names else each for each in JOB_COLUMNS]


@dataclass(frozen=True)
class Job:
    """A row of the table, without its inputs. `error` is that of the last attempt that failed.

    `kind` is "train", or "predict" of a job that answers; models that were not trained here have
    rows, too, of kind "onnx" or "endpoint", which are completed from the beginning.
    """

    id: str
    kind: str
    state: JobStatus
    dataset_id: str | None
    request: dict[str, Any]
    attempt: int
    failures: int
    version: int
    worker: str | None
    progress: float | None
    result_key: str | None
    result_sha256: str | None
    metrics: dict[str, float] | None
    result: dict[str, Any] | None
    sync: dict[str, Any] | None
    error: dict[str, Any] | None
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
        """Whether nothing will change any more."""
        return self.state not in (JobStatus.QUEUED, JobStatus.RUNNING)


def read_jobs(engine: sa.Engine, query: sa.Select[Any]) -> list[Job]:
    """Return the rows of a query."""
    with connect(engine) as connection:
        return [job_from_row(row) for row in connection.execute(query).mappings()]


def job_from_row(row: sa.RowMapping) -> Job:
    """SQLite keeps no time zone: every time in the table is UTC."""
    values: dict[str, Any] = {
        name: value.replace(tzinfo=UTC)
        if isinstance(value, datetime) and value.tzinfo is None
        else value
        for name, value in row.items()
    }
    return Job(**{**values, "state": JobStatus(row["state"])})
