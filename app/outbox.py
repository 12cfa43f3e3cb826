"""The outbox: jobs whose message has yet to be published, or has got lost and is published again.

The job's row is the outbox (`published_at` is null). Any number of processes may run these, as
often as they like: every step is a compare-and-set, and a message too many costs nothing, because
a claim is one too. A training that waits for its next attempt does so on the ladder, a prediction
in its row: there may be many, and none waits behind another.
"""

from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from app.database import connected, now, table
from app.jobs import KINDS, QUEUED, JobStore
from app.messages import Status

BATCH = 100
SETTLED_SECONDS = 5.0  # what was published longer ago has reached its queue, or never will

_UNPUBLISHED = table.c.kind.in_(KINDS) & QUEUED & table.c.published_at.is_(None)
_DUE = (table.c.kind == "train") | table.c.run_after.is_(None) | (table.c.run_after <= now())
_PUBLISHED = QUEUED & table.c.published_at.is_not(None)
# When its message came to the queue, at the earliest: those on the ladder come later.
_BEGAN_TO_WAIT = sa.case(
    (table.c.run_after > table.c.published_at, table.c.run_after), else_=table.c.published_at
)


@dataclass(frozen=True)
class Entry:
    """A message to publish; a training's not to be delivered before `delay` seconds have passed."""

    job_id: str
    kind: str
    request: dict[str, Any]
    reply_to: str | None
    correlation_id: str | None
    delay: float


def take(jobs: JobStore) -> list[Entry]:
    """Mark a batch of jobs as published and return it, the oldest first, to be published now."""
    oldest = (
        sa.select(table.c.id).where(_UNPUBLISHED, _DUE).order_by(table.c.created_at).limit(BATCH)
    ).scalar_subquery()
    update = (
        sa.update(table)
        .where(table.c.id.in_(oldest), _UNPUBLISHED)
        .values(published_at=now())
        .returning(
            table.c.id,
            table.c.kind,
            table.c.request,
            table.c.reply_to,
            table.c.correlation_id,
            table.c.run_after,
            table.c.published_at,
            table.c.created_at,
        )
    )
    with connected(jobs.engine) as connection:
        rows = sorted(connection.execute(update), key=lambda row: row.created_at)
    return [
        Entry(
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
    with connected(jobs.engine) as connection:
        for kind, ready in messages.items():
            published = [table.c.kind == kind, _PUBLISHED]
            waiting = sa.select(sa.func.count()).select_from(table).where(*published)
            missing = (connection.scalar(waiting) or 0) - ready
            found += connection.execute(_again(kind, _overtaken(kind))).rowcount
            if missing > 0:
                found += connection.execute(_again(kind, sa.true(), missing)).rowcount
    return found


def _again(kind: str, which: sa.ColumnElement[bool], limit: int = BATCH) -> sa.Update:
    """Say that the messages of the oldest of these jobs are lost, if they had time to arrive."""
    oldest = (
        sa.select(table.c.id)
        .where(table.c.kind == kind, _PUBLISHED, which, now(-SETTLED_SECONDS) > _BEGAN_TO_WAIT)
        .order_by(table.c.published_at)
        .limit(limit)
    ).scalar_subquery()
    update = sa.update(table).where(table.c.id.in_(oldest), _PUBLISHED)
    return update.values(published_at=None)


def _overtaken(kind: str) -> sa.ColumnElement[bool]:
    """Tell whether a job began to wait before one of its kind that was taken a while ago."""
    taken = [
        sa.select(table.c.published_at)
        .where(
            table.c.kind == kind,
            table.c.state == state,
            table.c.started_at < now(-SETTLED_SECONDS),
        )
        .order_by(table.c.published_at.desc())
        .limit(1)
        .scalar_subquery()
        for state in (Status.RUNNING, Status.COMPLETED)
    ]
    return sa.or_(*(each > _BEGAN_TO_WAIT for each in taken))
