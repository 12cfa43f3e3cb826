"""Fair shares of the slots that train: no caller has them all while another one waits.

A slot is a thread of a consumer; nobody knows how many there are. When one is free, it takes no
training of a caller that already runs more than another one that waits. If none is free for a
while, the caller that runs most gives one back. Jobs without a caller count as one caller's.
"""

import logging
from collections.abc import Collection
from itertools import pairwise

import sqlalchemy as sa

from app.database.engine import connect, database_now
from app.database.tables import jobs_table
from app.jobs.attempt_end import GAVE_SLOT
from app.jobs.reader import IS_QUEUED
from app.jobs.record import Job
from app.jobs.store import JobStore
from app.protocol.types import JobKind, JobStatus

log = logging.getLogger(__name__)

WAIT_SECONDS = 6.0  # longer than a lost message stays unnoticed

_IS_TRAINING = jobs_table.c.kind == JobKind.TRAIN
_WAITS = _IS_TRAINING & IS_QUEUED
_RUNS = _IS_TRAINING & (jobs_table.c.state == JobStatus.RUNNING)


def must_give_way(jobs: JobStore, job: Job) -> bool:
    """Tell whether a queued training must leave the slot to another caller's.

    Also true if its caller runs as many as it may.
    """
    with connect(jobs.engine) as connection:
        running = _running(connection)
        mine = running.get(job.caller, 0)
        if not mine:
            return False
        if jobs.max_running is not None and mine >= jobs.max_running:
            return True
        as_many = [caller for caller, count in running.items() if count >= mine]
        due = jobs_table.c.run_after.is_(None) | (jobs_table.c.run_after <= database_now())
        asked = sa.or_(*(sa.exists().where(_WAITS, each, due) for each in _others(as_many)))
        return bool(connection.scalar(sa.select(asked)))


def give_one_back(jobs: JobStore, wait_seconds: float = WAIT_SECONDS) -> str | None:
    """Release the youngest training of the caller that runs most, if one that runs none waits.

    The waiting job has waited for `wait_seconds`, and the caller that runs most runs two at least.
    Return the id of the released job. Its holder learns of the loss with its next renewal.
    """
    with connect(jobs.engine) as connection:
        running = _running(connection)
        most = max(running, key=lambda caller: running[caller], default=None)
        if running.get(most, 0) < 2:
            return None
        since = database_now(-wait_seconds)
        long = (jobs_table.c.published_at < since) & (
            jobs_table.c.run_after.is_(None) | (jobs_table.c.run_after < since)
        )
        columns = (jobs_table.c.id, jobs_table.c.published_at)
        # Asked for first without the times, because then the index of callers answers.
        others = [
            each
            for each in _others(running)
            if connection.scalar(sa.select(sa.exists().where(_WAITS, each)))
        ]
        waits = [sa.select(*columns).where(_WAITS, each, long).limit(1) for each in others]
        row = next(filter(None, (connection.execute(each).first() for each in waits)), None)
        # Of all relays, the one that restarts its time releases a job for it.
        if row is None or not _restart_wait(connection, *row):
            return None
        youngest = (
            sa.select(jobs_table.c.id, jobs_table.c.attempt)
            .where(_RUNS, jobs_table.c.caller.is_not_distinct_from(most))
            .order_by(jobs_table.c.started_at.desc(), jobs_table.c.id.desc())
            .limit(1)
        )
        found = connection.execute(youngest).first()
    if found is None or not jobs.release(found.id, found.attempt, GAVE_SLOT):
        return None
    jobs.mark_unpublished(found.id)
    return str(found.id)


def _running(connection: sa.Connection) -> dict[str | None, int]:
    """Count the trainings that run, by caller."""
    query = sa.select(jobs_table.c.caller, sa.func.count().label("running")).where(_RUNS)
    rows = connection.execute(query.group_by(jobs_table.c.caller))
    return {row.caller: row.running for row in rows}


def _others(callers: Collection[str | None]) -> list[sa.ColumnElement[bool]]:
    """Return ranges of all other callers, so that an index finds one among many jobs."""
    caller = jobs_table.c.caller
    known = sorted(each for each in callers if each is not None)
    found = [] if None in callers else [caller.is_(None)]
    if not known:
        return [*found, caller.is_not(None)]
    between = [(caller > low) & (caller < high) for low, high in pairwise(known)]
    return [*found, caller < known[0], *between, caller > known[-1]]


def _restart_wait(connection: sa.Connection, job_id: str, published_at: object) -> bool:
    """Let the wait of a queued job begin now; return False if another relay did so."""
    same = (jobs_table.c.id == job_id) & (jobs_table.c.published_at == published_at)
    update = sa.update(jobs_table).where(same, IS_QUEUED).values(published_at=database_now())
    return connection.execute(update).rowcount == 1
