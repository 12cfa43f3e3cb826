"""Count the job table, for metrics."""

from dataclasses import dataclass
from itertools import product

import sqlalchemy as sa

from app.database.engine import connect, read_time
from app.database.tables import jobs_table
from app.jobs.reader import IS_QUEUED
from app.protocol.types import JobKind, JobStatus

_STATES = [state.value for state in JobStatus if state is not JobStatus.RECEIVED]


@dataclass(frozen=True)
class JobCensus:
    """How many jobs there are of each state and kind, and what is queued of each kind.

    A job is `delayed` if its next attempt may not begin yet; `oldest` are the seconds since the
    first of the others was accepted.
    """

    counts: dict[tuple[str, str], int]
    delayed: dict[str, int]
    oldest: dict[str, float]


def take_census(engine: sa.Engine) -> JobCensus:
    """Count all jobs. Raises `errors.DatabaseUnavailable`.

    An index has all that the first query reads. The second one reads only queued jobs.
    """
    column = jobs_table.c
    counts = sa.select(column.state, column.kind, sa.func.count()).group_by(
        column.kind, column.state
    )
    with connect(engine) as connection:
        now = read_time(connection, 0.0)
        later = sa.func.coalesce(column.run_after > now, sa.false())
        queued = (
            sa.select(
                column.kind,
                sa.func.count().filter(later),
                sa.func.min(column.created_at).filter(~later),
            )
            .where(IS_QUEUED)
            .group_by(column.kind)
        )
        rows = list(connection.execute(counts))
        waiting = list(connection.execute(queued))
    none = dict.fromkeys((kind.value for kind in JobKind), 0)
    return JobCensus(
        dict.fromkeys(product(_STATES, none), 0) | {(state, kind): n for state, kind, n in rows},
        none | {kind: delayed for kind, delayed, _ in waiting},
        none
        | {kind: max(0.0, (now - oldest).total_seconds()) for kind, _, oldest in waiting if oldest},
    )
