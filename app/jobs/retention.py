"""Delete jobs that ended too long ago, or are too many or too large together to be kept.

The row of a model stays. Several processes may call this at a time.
"""

from dataclasses import dataclass

import sqlalchemy as sa

from app.database.engine import connect, read_time
from app.database.tables import jobs_table
from app.jobs.model_publication import COMPLETED_WITHOUT_MODEL

BATCH = 500
DAY_SECONDS = 86_400.0

_ENDED = jobs_table.c.ended_at.is_not(None)


@dataclass(frozen=True)
class Retention:
    """For how many days ended jobs are kept, how many, and how many bytes of them."""

    days: float
    jobs: int
    size: int


def delete_old_jobs(engine: sa.Engine, keep: Retention, batch: int = BATCH) -> int:
    """Delete ended jobs that are not kept, the oldest first, a batch at most; return how many.

    Keeps a training that an older consumer completed until its model has a row.
    """
    column = jobs_table.c
    totals = sa.select(sa.func.count(), sa.func.coalesce(sa.func.sum(column.size), 0)).where(_ENDED)
    oldest = (
        sa.select(column.id, column.ended_at, column.size)
        .where(_ENDED, ~sa.and_(*COMPLETED_WITHOUT_MODEL))
        .order_by(column.ended_at)
        .limit(batch)
    )
    with connect(engine) as connection:
        jobs, size = connection.execute(totals).one()
        too_old = read_time(connection, -keep.days * DAY_SECONDS)
        gone = []
        for row in connection.execute(oldest):
            if row.ended_at >= too_old and jobs <= keep.jobs and size <= keep.size:
                break
            gone.append(row.id)
            jobs, size = jobs - 1, size - row.size
        if not gone:
            return 0
        return connection.execute(sa.delete(jobs_table).where(column.id.in_(gone), _ENDED)).rowcount
