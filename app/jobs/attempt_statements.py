"""The statements that write the rows of attempts.

A claim inserts a row, and the end of the attempt completes it. Those for the jobs of an UPDATE read
`changed`, which has their `id`, `attempt` and `worker`, and are made once, because that takes
longer than to run them.
"""

from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from app.database.engine import database_now
from app.database.tables import attempts_table, jobs_table
from app.jobs.attempt_end import AttemptOutcome

KEPT = 50  # attempts of a job

CHANGED_COLUMNS = (jobs_table.c.id, jobs_table.c.attempt, jobs_table.c.worker)
changed = sa.table("changed", *(sa.column(each.name, each.type) for each in CHANGED_COLUMNS))

_row = attempts_table.c
_is_changed = _row.job_id == changed.c.id


def end_attempt(job_id: str, attempt: int, outcome: AttemptOutcome) -> sa.Update:
    """Return the UPDATE that ends the row of one attempt."""
    return _end((_row.job_id == job_id) & (_row.attempt == attempt), outcome, None)


def cancel_attempts_of(job_id: str) -> sa.Update:
    """Return the UPDATE that ends the rows of a job and of its parts, which were cancelled."""
    parts = sa.select(jobs_table.c.id).where(jobs_table.c.parent == job_id)
    ids = sa.union_all(sa.select(sa.literal(job_id, sa.String)), parts)
    return _end(_row.job_id.in_(ids), AttemptOutcome.CANCELLED, None)


def delete_attempts(jobs: sa.ColumnElement[bool]) -> sa.Delete:
    """Return the DELETE of the rows of jobs that are about to be deleted themselves."""
    ids = sa.select(jobs_table.c.id).where(jobs)
    return sa.delete(attempts_table).where(_row.job_id.in_(ids))


def _end(which: sa.ColumnElement[bool], outcome: object, reason: object) -> sa.Update:
    values = {"ended_at": database_now(), "outcome": outcome, "reason": reason}
    return sa.update(attempts_table).where(which, _row.ended_at.is_(None)).values(values)


def _insert(insert: Any) -> Any:
    """Return the INSERT of new attempts; it replaces a row of a deleted job with the same id."""
    new_row = sa.select(changed.c.id, changed.c.attempt, changed.c.worker, database_now())
    # SQLite needs a WHERE to tell the ON of the conflict from that of a join.
    new = insert(attempts_table).from_select(
        ["job_id", "attempt", "consumer", "started_at"], new_row.where(sa.true())
    )
    fresh = {each.name: new.excluded[each.name] for each in _row}
    return new.on_conflict_do_update(index_elements=attempts_table.primary_key, set_=fresh)


def _in_one(*statements: Any) -> list[Any]:
    """Return statements as parts of the one that has the UPDATE."""
    return [each.cte(f"written_{n}") for n, each in enumerate(statements)]


def _after(*statements: Any) -> list[Any]:
    """Return statements that follow the UPDATE of the jobs `ids`."""
    ids: sa.BindParameter[list[str]] = sa.bindparam("ids", expanding=True)
    jobs = sa.select(*CHANGED_COLUMNS).where(jobs_table.c.id.in_(ids)).cte("changed")
    return [each.add_cte(jobs) for each in statements]


_END = _end(
    _is_changed & (_row.attempt == changed.c.attempt),
    sa.bindparam("how", type_=sa.String),
    sa.bindparam("why", type_=sa.Text),
)
_END_EARLIER = _end(_is_changed & (_row.attempt < changed.c.attempt), AttemptOutcome.REPLACED, None)
# Rows that are too many, and those of a deleted job. SQLite has no DELETE of a join, and finds the
# rows of a job only by IN.
_TRIM = sa.delete(attempts_table).where(
    _row.job_id.in_(sa.select(changed.c.id)),
    sa.exists().where(
        _is_changed,
        (_row.attempt <= changed.c.attempt - KEPT) | (_row.attempt > changed.c.attempt),
    ),
)

POSTGRESQL_BEGIN = _in_one(_insert(postgresql.insert), _END_EARLIER, _TRIM)
POSTGRESQL_END = _in_one(_END)
SQLITE_BEGIN = _after(_insert(sqlite.insert))
SQLITE_BEGIN_AGAIN = [*SQLITE_BEGIN, *_after(_END_EARLIER, _TRIM)]
SQLITE_END = _after(_END)
