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


# What a row tells of its log: how many lines there were, and whether more will come.
LOG_COLUMNS = (_job.log_lines, _IS_COMPLETE.label("log_complete"))


@dataclass(frozen=True)
class LoggedAttempt:
    """An attempt whose lines are written: of a job, or of a `part` of the batch job `job_id`."""

    job_id: str
    attempt: int
    consumer: str
    part: int | None = None


@dataclass(frozen=True)
class LogHead:
    """What the row of a job tells of its log, when it was read."""

    job_id: str
    total: int
    complete: bool


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
    query = of_job(sa.select(_job.id, _job.kind, *LOG_COLUMNS), job_id)
    with connect(engine) as connection:
        row = connection.execute(query).one_or_none()
    if row is None or row.kind not in KINDS:
        return None
    head = LogHead(row.id, row.log_lines, bool(row.log_complete))
    return read_lines(engine, head, after, limit)


def read_lines(
    engine: sa.Engine,
    head: LogHead,
    after: int = 0,
    limit: int = MAX_LINES,
    *,
    newest: bool = False,
) -> JobLog:
    """Return at most `limit` lines behind the one of the number `after`, the first or the newest.

    If the `head`, which was read before, says that the log is complete, all lines are there by now.
    Raises `errors.DatabaseUnavailable`.
    """
    if not head.total:
        return JobLog(head.job_id, [], 0, 0, head.complete)
    of_log = _line.job_id == head.job_id
    query = sa.select(*(each for each in _line if each.name != "job_id"))
    query = query.where(of_log, _line.number > after).limit(limit + 1)
    query = query.order_by(_line.number.desc() if newest else _line.number)
    with connect(engine) as connection:
        found = connection.execute(query).mappings().all()
        kept = connection.scalar(sa.select(sa.func.count()).where(of_log)) or 0
    lines = [JobLine(**each) for each in found[:limit]]
    if newest:
        lines.reverse()
    total = max(head.total, lines[-1].number if lines else 0)
    complete = head.complete and (newest or len(found) <= limit)
    return JobLog(head.job_id, lines, total, max(0, total - kept), complete)
