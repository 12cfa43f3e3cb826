"""The outbox: jobs whose message has yet to be published, or has got lost and is published again.

The job's row is the outbox (`published_at` is null). Any number of processes may run these, as
often as they like: every step is a compare-and-set, and a message too many costs nothing, because
a claim is one too. A training that waits for its next attempt does so on the ladder, a prediction
in its row: there may be many, and none waits behind another.
"""

from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from app.database.engine import connect, database_now
from app.database.tables import jobs_table
from app.jobs.store import IS_QUEUED, JOB_KINDS, JobStore
from app.protocol.types import JobStatus

BATCH = 100
SETTLED_SECONDS = 5.0  # what was published longer ago has reached its queue, or never will

_UNPUBLISHED = jobs_table.c.kind.in_(JOB_KINDS) & IS_QUEUED & jobs_table.c.published_at.is_(None)
_DUE = (
    (jobs_table.c.kind == "train")
    | jobs_table.c.run_after.is_(None)
    | (jobs_table.c.run_after <= database_now())
)
_PUBLISHED = IS_QUEUED & jobs_table.c.published_at.is_not(None)
# When its message came to the queue, at the earliest: those on the ladder come later.
_BEGAN_TO_WAIT = sa.case(
    (jobs_table.c.run_after > jobs_table.c.published_at, jobs_table.c.run_after),
    else_=jobs_table.c.published_at,
)


@dataclass(frozen=True)
class OutboxEntry:
    """A message to publish; a training's not to be delivered before `delay` seconds have passed."""

    job_id: str
    kind: str
    request: dict[str, Any]
    reply_to: str | None
    correlation_id: str | None
    delay: float


def take_unpublished(jobs: JobStore) -> list[OutboxEntry]:
    """Mark a batch of jobs as published and return it, the oldest first, to be published now."""
    oldest = (
        sa.select(jobs_table.c.id)
        .where(_UNPUBLISHED, _DUE)
        .order_by(jobs_table.c.created_at)
        .limit(BATCH)
    ).scalar_subquery()
    update = (
        sa.update(jobs_table)
        .where(jobs_table.c.id.in_(oldest), _UNPUBLISHED)
        .values(published_at=database_now())
        .returning(
            jobs_table.c.id,
            jobs_table.c.kind,
            jobs_table.c.request,
            jobs_table.c.reply_to,
            jobs_table.c.correlation_id,
            jobs_table.c.run_after,
            jobs_table.c.published_at,
            jobs_table.c.created_at,
        )
    )
    with connect(jobs.engine) as connection:
        rows = sorted(connection.execute(update), key=lambda row: row.created_at)
    return [
        OutboxEntry(
            row.id,
            row.kind,
            row.request,
            row.reply_to,
            row.correlation_id,
            (row.run_after - row.published_at).total_seconds() if row.run_after else 0.0,
        )
        for row in rows
    ]


def reconcile(jobs: JobStore, messages: dict[str, int]) -> int:
    """Put into the outbox what the queues have lost; they hold `messages` for queued jobs, by kind.

    When there are fewer messages than jobs, as many jobs as messages are missing, the oldest, are
    published again. (Jobs are taken in their order, so those without a message become the oldest.)
    A message that stands for no row may hide one that is missing: so a job is published again, too,
    when one that was published after it has been taken. Returns how many there were.
    """
    found = 0
    with connect(jobs.engine) as connection:
        for kind, ready in messages.items():
            published = [jobs_table.c.kind == kind, _PUBLISHED]
            waiting = sa.select(sa.func.count()).select_from(jobs_table).where(*published)
            missing = (connection.scalar(waiting) or 0) - ready
            found += connection.execute(_mark_oldest_unpublished(kind, _overtaken(kind))).rowcount
            if missing > 0:
                found += connection.execute(
                    _mark_oldest_unpublished(kind, sa.true(), missing)
                ).rowcount
    return found


def _mark_oldest_unpublished(
    kind: str, which: sa.ColumnElement[bool], limit: int = BATCH
) -> sa.Update:
    """Say that the messages of the oldest of these jobs are lost, if they had time to arrive."""
    oldest = (
        sa.select(jobs_table.c.id)
        .where(
            jobs_table.c.kind == kind,
            _PUBLISHED,
            which,
            database_now(-SETTLED_SECONDS) > _BEGAN_TO_WAIT,
        )
        .order_by(jobs_table.c.published_at)
        .limit(limit)
    ).scalar_subquery()
    update = sa.update(jobs_table).where(jobs_table.c.id.in_(oldest), _PUBLISHED)
    return update.values(published_at=None)


def _overtaken(kind: str) -> sa.ColumnElement[bool]:
    """Tell whether a job began to wait before one of its kind that was taken a while ago."""
    taken = [
        sa.select(jobs_table.c.published_at)
        .where(
            jobs_table.c.kind == kind,
            jobs_table.c.state == state,
            jobs_table.c.started_at < database_now(-SETTLED_SECONDS),
        )
        .order_by(jobs_table.c.published_at.desc())
        .limit(1)
        .scalar_subquery()
        for state in (JobStatus.RUNNING, JobStatus.COMPLETED)
    ]
    return sa.or_(*(each > _BEGAN_TO_WAIT for each in taken))
