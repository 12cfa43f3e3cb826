"""The outbox: jobs whose message must still be published, or was lost and is published again.

The job row is the outbox entry (`published_at` is null). Any number of processes may call these
functions at any time, because every step is a compare-and-set. An extra message is harmless,
because a claim is a compare-and-set, too. A training waits for its next attempt in a retry queue.
Other jobs wait in their rows, because there may be many, and in a queue one would wait behind
another.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from app.database.engine import connect, database_now
from app.database.tables import jobs_table
from app.jobs.reader import IS_QUEUED
from app.jobs.store import JobStore
from app.protocol.types import JobKind, JobStatus

BATCH = 100
SETTLED_SECONDS = 5.0  # a message that was published longer ago is in its queue, or lost

# All kinds are named because the index begins with the kind.
_UNPUBLISHED = (
    jobs_table.c.kind.in_(list(JobKind)) & IS_QUEUED & jobs_table.c.published_at.is_(None)
)
_DUE = (
    (jobs_table.c.kind == JobKind.TRAIN)
    | jobs_table.c.run_after.is_(None)
    | (jobs_table.c.run_after <= database_now())
)
_PUBLISHED = IS_QUEUED & jobs_table.c.published_at.is_not(None)
# The earliest time at which its message was in the queue: retry queues deliver later.
_BEGAN_TO_WAIT = sa.case(
    (jobs_table.c.run_after > jobs_table.c.published_at, jobs_table.c.run_after),
    else_=jobs_table.c.published_at,
)


@dataclass(frozen=True)
class OutboxEntry:
    """A message to publish. A training's message is delivered after `delay` seconds."""

    job_id: str
    kind: JobKind
    request: dict[str, Any]
    reply_to: str | None
    correlation_id: str | None
    delay: float
    traceparent: str | None = None


def take_unpublished(jobs: JobStore, limit: int = BATCH) -> list[OutboxEntry]:
    """Mark the oldest unpublished jobs as published and return them; the caller publishes them."""
    oldest = (
        sa.select(jobs_table.c.id)
        .where(_UNPUBLISHED, _DUE)
        .order_by(jobs_table.c.created_at)
        .limit(limit)
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
            jobs_table.c.traceparent,
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
            JobKind(row.kind),
            row.request,
            row.reply_to,
            row.correlation_id,
            (row.run_after - row.published_at).total_seconds() if row.run_after else 0.0,
            row.traceparent,
        )
        for row in rows
    ]


def reconcile(
    jobs: JobStore,
    messages: Mapping[JobKind, int],
    settled: float = SETTLED_SECONDS,
    limit: int = BATCH,
) -> int:
    """Mark the jobs whose messages are lost as unpublished; return how many there were.

    `messages` counts, by kind, the messages of queued jobs in the queues. If there are fewer
    messages than jobs, the oldest jobs are published again, as many as messages are missing. These
    are the right ones, because jobs are claimed in order, so jobs without a message become the
    oldest. A message that belongs to no row may hide a missing one. So a job is also published
    again when a job that was published after it has been claimed. Only messages older than
    `settled` seconds count as lost.
    """
    found = 0
    with connect(jobs.engine) as connection:
        for kind, ready in messages.items():
            published = [jobs_table.c.kind == kind, _PUBLISHED]
            waiting = sa.select(sa.func.count()).select_from(jobs_table).where(*published)
            missing = (connection.scalar(waiting) or 0) - ready
            lost = _mark_oldest_unpublished(kind, _overtaken(kind, settled), settled, limit)
            found += connection.execute(lost).rowcount
            if missing > 0:
                lost = _mark_oldest_unpublished(kind, sa.true(), settled, missing)
                found += connection.execute(lost).rowcount
    return found


def _mark_oldest_unpublished(
    kind: JobKind, which: sa.ColumnElement[bool], settled: float, limit: int
) -> sa.Update:
    """Return the UPDATE that marks the oldest of these jobs as unpublished.

    It skips jobs whose messages have not had time to arrive.
    """
    oldest = (
        sa.select(jobs_table.c.id)
        .where(
            jobs_table.c.kind == kind,
            _PUBLISHED,
            which,
            database_now(-settled) > _BEGAN_TO_WAIT,
        )
        .order_by(jobs_table.c.published_at)
        .limit(limit)
    ).scalar_subquery()
    update = sa.update(jobs_table).where(jobs_table.c.id.in_(oldest), _PUBLISHED)
    return update.values(published_at=None)


def _overtaken(kind: JobKind, settled: float) -> sa.ColumnElement[bool]:
    """Return the condition that a later job of the same kind was claimed a while ago."""
    taken = [
        sa.select(jobs_table.c.published_at)
        .where(
            jobs_table.c.kind == kind,
            jobs_table.c.state == state,
            jobs_table.c.started_at < database_now(-settled),
        )
        .order_by(jobs_table.c.published_at.desc())
        .limit(1)
        .scalar_subquery()
        for state in (JobStatus.RUNNING, JobStatus.COMPLETED)
    ]
    return sa.or_(*(each > _BEGAN_TO_WAIT for each in taken))
