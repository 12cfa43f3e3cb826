"""Delete jobs that ended too long ago, or are too many or too large together to be kept.

Their logs go with them. The row of a model stays. Several processes may call this at a time.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from app.database.engine import connect, read_time, transaction
from app.database.tables import job_lines_table, jobs_table
from app.jobs.attempt_statements import delete_attempts
from app.jobs.model_publication import COMPLETED_WITHOUT_MODEL
from app.protocol.types import JobKind

BATCH = 500
DAY_SECONDS = 86_400.0

_ENDED = jobs_table.c.ended_at.is_not(None)


@dataclass(frozen=True)
class Retention:
    """For how many days ended jobs are kept, how many, and how many bytes of them."""

    days: float
    jobs: int
    size: int


def delete_old_jobs(
    engine: sa.Engine,
    keep: Retention,
    batch: int = BATCH,
    delete_results: Callable[[Sequence[str]], None] = lambda _: None,
) -> int:
    """Delete ended jobs that are not kept, the oldest first, a batch at most; return how many.

    Calls `delete_results` with the ids of the batch jobs among them, whose files it deletes first.
    Keeps a training that an older consumer completed until its model has a row, and a batch job
    until it is cleaned up.
    """
    column = jobs_table.c
    totals = sa.select(sa.func.count(), sa.func.coalesce(sa.func.sum(column.size), 0)).where(_ENDED)
    oldest = (
        sa.select(column.id, column.kind, column.ended_at, column.size)
        .where(_ENDED, ~sa.and_(*COMPLETED_WITHOUT_MODEL), column.folder.is_(None))
        .order_by(column.ended_at)
        .limit(batch)
    )
    with connect(engine) as connection:
        jobs, size = connection.execute(totals).one()
        too_old = read_time(connection, -keep.days * DAY_SECONDS)
        gone, results = [], []
        for row in connection.execute(oldest):
            if row.ended_at >= too_old and jobs <= keep.jobs and size <= keep.size:
                break
            gone.append(row.id)
            if row.kind == JobKind.BATCH:
                results.append(row.id)
            jobs, size = jobs - 1, size - row.size
    if not gone:
        return 0
    if results:
        delete_results(results)
    old = column.id.in_(gone) & _ENDED
    with transaction(engine) as connection:
        connection.execute(delete_attempts(old))
        deleted = connection.execute(sa.delete(jobs_table).where(old))
        connection.execute(sa.delete(job_lines_table).where(job_lines_table.c.job_id.in_(gone)))
        return deleted.rowcount
