"""The log of a job: write the lines of its attempts into the database, and read them.

The row of the job counts its lines, so that they are numbered in the order of their commits. A
reader that goes on behind a number therefore misses none, whoever writes.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from app.database.engine import connect, database_now, transaction
from app.database.tables import job_lines_table, jobs_table
from app.jobs.reader import of_job
from app.jobs.record import KINDS
from app.observability.job_lines import FIRST, LAST, UnwrittenLines
from app.protocol.types import JobKind, JobStatus

MAX_LINES = FIRST + LAST
# After the end of a job its consumer may still write lines; a consumer that is lost writes none.
LATE_SECONDS = 5.0

_job = jobs_table.c
_line = job_lines_table.c
_ENDED = _job.state.notin_([JobStatus.QUEUED, JobStatus.RUNNING])
_IS_COMPLETE = _ENDED & sa.or_(
    _job.kind == JobKind.PREDICT,  # has no lines
    _job.log_attempt >= _job.attempt,
    _job.ended_at < database_now(-LATE_SECONDS),
)


@dataclass(frozen=True)
class LoggedAttempt:
    """An attempt whose lines are written: of a job, or of a `part` of the batch job `job_id`."""

    job_id: str
    attempt: int
    consumer: str
    part: int | None = None


@dataclass(frozen=True)
class JobLine:
    """A line of a job's log; `part` is the number of the part that it is about."""

    number: int
    attempt: int
    part: int | None
    time: datetime
    level: str
    text: str
    consumer: str


@dataclass(frozen=True)
class JobLog:
    """Lines of a job. There were `total`, of which `left_out` are not kept.

    If `complete`, no line comes after these.
    """

    job_id: str
    lines: Sequence[JobLine]
    total: int
    left_out: int
    complete: bool


def write_lines(
    engine: sa.Engine,
    of: LoggedAttempt,
    new: UnwrittenLines,
    *,
    ended: bool = False,
    numbered: Callable[[range], object] = lambda _: None,
) -> bool:
    """Write lines behind those of the job; return False if there is no such job any more.

    The first and the last lines of the job are kept. `ended` tells that these lines are the last
    ones of the attempt. The texts count for the size of the job. Raises
    `errors.DatabaseUnavailable`. If it has called `numbered` by then, with the numbers that the
    lines get in the log of the job, they may be written all the same: `are_written` tells.
    """
    added = sum(len(each.text) for each in new.lines)
    values = {"log_lines": _job.log_lines + new.count, "size": _job.size + added}
    if ended and of.part is None:
        later = (_job.log_attempt < of.attempt, of.attempt)
        values["log_attempt"] = sa.case(later, else_=_job.log_attempt)
    update = sa.update(jobs_table).where(_job.id == of.job_id)
    with transaction(engine) as connection:
        total = connection.scalar(update.values(**values).returning(_job.log_lines))
        if total is None:
            return False
        if new.lines:
            before = total - new.count - new.after
            rows = [
                {
                    "job_id": of.job_id,
                    "number": before + each.number,
                    "attempt": of.attempt,
                    "part": of.part,
                    "time": each.time,
                    "level": each.level,
                    "text": each.text,
                    "consumer": of.consumer,
                }
                for each in new.lines
            ]
            connection.execute(sa.insert(job_lines_table), rows)
            numbered(range(total - new.count + 1, total + 1))
        if total > MAX_LINES:
            between = (_line.number > FIRST, _line.number <= total - LAST)
            delete = sa.delete(job_lines_table).where(_line.job_id == of.job_id, *between)
            removed = sum(connection.scalars(delete.returning(sa.func.length(_line.text))))
            connection.execute(update.values(size=_job.size - removed))
    return True


def are_written(engine: sa.Engine, of: LoggedAttempt, numbers: range) -> bool:
    """Tell whether lines of these numbers are of this attempt, or of its part.

    If not, its commit has failed, and others have the numbers or will get them. Raises
    `errors.DatabaseUnavailable`.
    """
    unchanged = sa.update(jobs_table).where(_job.id == of.job_id).values(log_lines=_job.log_lines)
    found = sa.select(_line.number).where(
        _line.job_id == of.job_id,
        _line.number.between(numbers.start, numbers.stop - 1),
        _line.attempt == of.attempt,
        _line.part.is_not_distinct_from(of.part),
        _line.consumer == of.consumer,
    )
    with transaction(engine) as connection:
        connection.execute(unchanged)  # waits for a commit that is under way
        return connection.execute(found.limit(1)).first() is not None


def read_log(
    engine: sa.Engine, job_id: str, after: int = 0, limit: int = MAX_LINES
) -> JobLog | None:
    """Return at most `limit` lines of a job behind the one of the number `after`.

    `latest` is the newest job of its owner. Return None if there is no such job. Raises
    `errors.DatabaseUnavailable`.
    """
    columns = (_job.id, _job.kind, _job.log_lines, _IS_COMPLETE.label("complete"))
    with connect(engine) as connection:
        # The row first: if it says that the log is complete, all lines are there by now.
        row = connection.execute(of_job(sa.select(*columns), job_id)).one_or_none()
        if row is None or row.kind not in KINDS:
            return None
        if not row.log_lines:
            return JobLog(row.id, [], 0, 0, bool(row.complete))
        of_log = _line.job_id == row.id
        query = sa.select(*(each for each in _line if each.name != "job_id"))
        behind = query.where(of_log, _line.number > after).order_by(_line.number)
        found = connection.execute(behind.limit(limit + 1)).mappings().all()
        kept = connection.scalar(sa.select(sa.func.count()).where(of_log)) or 0
    lines = [JobLine(**each) for each in found[:limit]]
    total = max(row.log_lines, lines[-1].number if lines else 0)
    complete = bool(row.complete) and len(found) <= limit
    return JobLog(row.id, lines, total, max(0, total - kept), complete)
