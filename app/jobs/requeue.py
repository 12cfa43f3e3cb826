"""The UPDATEs that end an attempt without a result: the job is queued again, or ends.

A failure is the attempt's own: S3 was away, say, or its child died of what it did. A loss is not:
its consumer died, or the system killed its child for another's sake. Both are counted, each with a
bound of its own, so that a job that causes its losses ends, too.
"""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from app import errors
from app.database.engine import database_now
from app.database.tables import jobs_table
from app.protocol.types import JobStatus

MAX_LOSSES = 10
# Seconds until the next attempt, by the number of losses before; the last one also for more.
LOSS_DELAYS = (0.0, 2.0, 10.0, 60.0)

_INPUTS_SIZE = sa.func.coalesce(sa.func.length(jobs_table.c.inputs), 0)
# The size of a job that has ended, whose inputs are deleted; 0 for older rows, which have no size.
ENDED_SIZE = sa.case((jobs_table.c.size > _INPUTS_SIZE, jobs_table.c.size - _INPUTS_SIZE), else_=0)

CONSUMER_LOST = errors.ConsumerLost().to_wire()
_IS_LAST_LOSS = jobs_table.c.losses + 1 >= MAX_LOSSES
_LOSS_RUN_AFTER = sa.case(
    *((jobs_table.c.losses == n, database_now(delay)) for n, delay in enumerate(LOSS_DELAYS)),
    else_=database_now(LOSS_DELAYS[-1]),
)


def count_failure(
    where: Sequence[sa.ColumnElement[bool]], error: dict[str, Any], delay: float, most: int
) -> sa.Update:
    """Return the UPDATE that counts a failure; the `most`-th one ends the job."""
    is_last = jobs_table.c.failures + 1 >= most
    update = _requeue(where, error, is_last, database_now(delay))
    return update.values(failures=jobs_table.c.failures + 1)


def count_loss(where: Sequence[sa.ColumnElement[bool]], error: dict[str, Any]) -> sa.Update:
    """Return the UPDATE that counts a loss; the last one of `MAX_LOSSES` ends the job."""
    update = _requeue(where, error, _IS_LAST_LOSS, _LOSS_RUN_AFTER)
    return update.values(losses=jobs_table.c.losses + 1)


def _requeue(
    where: Sequence[sa.ColumnElement[bool]],
    error: dict[str, Any],
    is_last: sa.ColumnElement[bool],
    run_after: sa.ColumnElement[Any],
) -> sa.Update:
    return (
        sa.update(jobs_table)
        .where(*where)
        .values(
            state=sa.case((is_last, JobStatus.ERROR), else_=JobStatus.QUEUED),
            ended_at=sa.case((is_last, database_now()), else_=None),
            inputs=sa.case((is_last, None), else_=jobs_table.c.inputs),
            size=sa.case((is_last, ENDED_SIZE), else_=jobs_table.c.size),
            error=error,
            worker=None,
            progress=None,
            published_at=None,
            run_after=sa.case((is_last, None), else_=run_after),
            version=jobs_table.c.version + 1,
        )
    )
