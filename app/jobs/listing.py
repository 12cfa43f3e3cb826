"""List jobs: those with a property, in an order, page by page."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

import sqlalchemy as sa

from app.auth.identity import DEFAULT_OWNER
from app.database.engine import connect
from app.database.fit_conditions import fit_conditions
from app.database.paging import SORTED_BY, Page, select_page, sort_column
from app.database.tables import jobs_table
from app.jobs.record import KINDS, Job, job_from_row, listed_columns
from app.jobs.search import has_name, has_text
from app.protocol.metric_condition import MetricCondition
from app.protocol.types import JobKind, JobStatus

_column = jobs_table.c
SORTS = {"created_at": _column.created_at, "started_at": _column.started_at}
SORTS |= {"ended_at": _column.ended_at}


@dataclass(frozen=True)
class JobFilter:
    """What the jobs of a list have in common: their owner, and the rest, where None is any."""

    owner: str = DEFAULT_OWNER
    state: JobStatus | None = None
    kind: JobKind | None = None
    dataset_id: str | None = None
    estimator: str | None = None
    tag: str | None = None
    metric: MetricCondition | None = None
    name: str | None = None
    text: str | None = None
    ids: Collection[str] | None = None


def list_jobs(
    engine: sa.Engine, which: JobFilter, page: Page, *shown: sa.ColumnElement[bool]
) -> tuple[list[Job], str | None]:
    """Return jobs in short, see `listed_columns`, and the cursor of the next page or None.

    Only jobs for which all of `shown` is true are listed. Jobs without the value that they are
    sorted by are left out. Raises `errors.Invalid` for the cursor.
    """
    query = sa.select(*listed_columns()).where(*shown, *_conditions(which))
    query = select_page(query, sort_column(SORTS, _column.metrics, page), _column.id, page)
    with connect(engine) as connection:
        rows = connection.execute(query).mappings().all()
    # Older producers write their registered models into this table, too.
    jobs = [_job(row) for row in rows[: page.limit] if row["kind"] in KINDS]
    if len(rows) <= page.limit:
        return jobs, None
    last = rows[page.limit - 1]
    return jobs, page.following(last[SORTED_BY], last["id"])


class Place(NamedTuple):
    """A job's place in a list. While `created_at` and `version` are the same, so is the job."""

    id: str
    created_at: datetime
    version: int
    sorted_by: Any


def list_places(
    engine: sa.Engine, which: JobFilter, page: Page, *shown: sa.ColumnElement[bool]
) -> list[Place]:
    """Return the places of a page's jobs, and of the next one. Raises what `list_jobs` does."""
    query = sa.select(_column.id, _column.created_at, _column.version)
    query = query.where(*shown, *_conditions(which))
    query = select_page(query, sort_column(SORTS, _column.metrics, page), _column.id, page)
    with connect(engine) as connection:
        return [Place(*row) for row in connection.execute(query)]


def jobs_at(engine: sa.Engine, places: list[Place], page: Page) -> tuple[list[Job], str | None]:
    """Return what `list_jobs` does, by the places that were read before; jobs may be newer."""
    ids = [each.id for each in places[: page.limit]]
    # Not sorted by SQL: SQLite would read all jobs of the owner in that order.
    query = sa.select(*listed_columns()).where(_column.id.in_(ids))
    with connect(engine) as connection:
        rows = {row["id"]: row for row in connection.execute(query).mappings()}
    found = [rows[each] for each in ids if each in rows]
    jobs = [_job(row) for row in found if row["kind"] in KINDS]
    if len(places) <= page.limit:
        return jobs, None
    last = places[page.limit - 1]
    return jobs, page.following(last.sorted_by, last.id)


def count_jobs(
    engine: sa.Engine, which: JobFilter, most: int, *shown: sa.ColumnElement[bool]
) -> int:
    """Return how many jobs there are, or `most` if there are more, because counting reads each."""
    some = sa.select(_column.id).where(*shown, *_conditions(which)).limit(most).subquery()
    with connect(engine) as connection:
        return connection.scalar(sa.select(sa.func.count()).select_from(some)) or 0


def _job(row: Any) -> Job:
    return job_from_row({name: value for name, value in row.items() if name != SORTED_BY})


def _conditions(which: JobFilter) -> list[sa.ColumnElement[bool]]:
    same: dict[str, str | None] = {
        "owner": which.owner,
        "state": which.state,
        "kind": which.kind,
        "dataset_id": which.dataset_id,
    }
    found = [_column[name] == value for name, value in same.items() if value is not None]
    found += fit_conditions(
        jobs_table,
        _column.request,
        _column.kind == JobKind.TRAIN,
        _column.state == JobStatus.COMPLETED,
        estimator=which.estimator,
        tag=which.tag,
        metric=which.metric,
    )
    if which.ids is not None:
        found.append(_column.id.in_(which.ids))
    if which.name is not None:
        found.append(has_name(which.owner, which.name))
    if which.text is not None:
        found.append(has_text(which.owner, which.text))
    return found
