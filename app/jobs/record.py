"""A row of the job table."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

import sqlalchemy as sa

from app import errors
from app.auth.identity import DEFAULT_OWNER
from app.database.engine import connect
from app.database.tables import jobs_table
from app.jobs.long_answers import LISTED_CHARACTERS, LONG_CHARACTERS
from app.protocol.types import JobKind, JobStatus

KINDS = {kind.value for kind in JobKind}
# The columns to read, which are the fields of a Job.
_OTHERS = ("inputs", "log_lines", "log_attempt", "key_id")
JOB_COLUMNS = [column for column in jobs_table.c if column.name not in _OTHERS]
_ANSWERS = ("result", "sync")
_LISTED = ("request", "metrics", "fit_summary", "error")


@cache
def listed_columns() -> list[sa.ColumnElement[Any]]:
    """Return the columns to read for a list: null in place of answers, and of JSON that is long."""
    return _shortened(_LISTED, LISTED_CHARACTERS, without=_ANSWERS)


@cache
def shown_columns() -> list[sa.ColumnElement[Any]]:
    """Return the columns to read for one job: null in place of answers that are long."""
    return _shortened(_ANSWERS, LONG_CHARACTERS)


def short_or_null(
    column: sa.ColumnElement[Any], most: int = LISTED_CHARACTERS
) -> sa.ColumnElement[Any]:
    """Return a column with JSON, or null if its JSON has more than `most` characters."""
    return sa.case((~is_long(column, most), column)).label(column.key)


def is_long(column: sa.ColumnElement[Any], most: int = LISTED_CHARACTERS) -> sa.ColumnElement[bool]:
    """Return whether a column's JSON has more than `most` characters; null if it is null."""
    return sa.func.length(sa.cast(column, sa.Text)) > most


def _shortened(
    names: Sequence[str], most: int, without: Sequence[str] = ()
) -> list[sa.ColumnElement[Any]]:
    """Return all columns, and whether JSON of the named ones is left out because it is long."""
    changed = {name: short_or_null(jobs_table.c[name], most) for name in names}
    changed |= {name: sa.null().label(name) for name in without}
    left_out = sa.or_(*(is_long(jobs_table.c[name], most) for name in names))
    return [*(changed.get(each.name, each) for each in JOB_COLUMNS), left_out.label("shortened")]


@dataclass(frozen=True)
class Job:
    """A row of the table, without its inputs and what it knows of its log.

    `error` is the last failed attempt's. A part of a batch job has a `parent`. A job may be
    `shortened`: JSON that is long is None then, or `{}` for the request.
    """

    id: str
    kind: JobKind
    state: JobStatus
    dataset_id: str | None
    dataset_version: str | None
    tags: str | None
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
    traceparent: str | None
    created_at: datetime
    published_at: datetime | None
    run_after: datetime | None
    started_at: datetime | None
    lease_until: datetime | None
    ended_at: datetime | None
    parent: str | None = None
    part: int | None = None
    parts: int | None = None
    folder: str | None = None
    owner: str = DEFAULT_OWNER
    shortened: bool = False

    @property
    def ended(self) -> bool:
        """Whether the job has ended. An ended job never changes again."""
        return self.state not in (JobStatus.QUEUED, JobStatus.RUNNING)


def no_job(job_id: str) -> errors.NotFound:
    """Return the error of a job that is not there."""
    return errors.NotFound("job_id", f"there is no job {job_id}")


def read_jobs(engine: sa.Engine, query: sa.Select[Any] | sa.CompoundSelect[Any]) -> list[Job]:
    """Return the jobs of a query.

    Older producers write their registered models into this table, too; these rows are left out.
    """
    with connect(engine) as connection:
        rows = connection.execute(query).mappings()
        return [job_from_row({**row}) for row in rows if row["kind"] in KINDS]


def job_from_row(row: Mapping[str, Any]) -> Job:
    """Return a row as a job."""
    known = {"kind": JobKind(row["kind"]), "state": JobStatus(row["state"])}
    shortened = {"request": row["request"] or {}, "shortened": bool(row.get("shortened"))}
    return Job(**{**row, **known, **shortened})
