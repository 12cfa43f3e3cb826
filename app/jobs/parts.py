"""The parts of batch jobs: rows with a `parent`, which are claimed, leased and retried like jobs.

A batch job is claimed to be split. Then its parts hold it: it runs without a worker and without a
lease that can expire. The last part that completes queues it again, and it is claimed to be put
together. A part that fails for good ends its batch job; the end of a batch job ends its parts.
Consumers of versions without batch jobs requeue lost parts, and do nothing else with these rows.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import sqlalchemy as sa

from app.auth.names import owner_of
from app.database.engine import connect, database_now, transaction
from app.database.tables import jobs_table
from app.jobs.attempt_end import AttemptOutcome
from app.jobs.attempt_rows import end_attempts
from app.jobs.attempt_statements import cancel_attempts_of, delete_attempts, end_attempt
from app.jobs.record import JOB_COLUMNS, Job, read_jobs
from app.jobs.transitions import END, IS_RUNNING, NEW_VERSION, UNENDED, held_by
from app.protocol.types import JobKind, JobStatus

# In place of a worker. It has no colon, so older relays look for no lost consumer of this name, and
# its lease is so long because they compare all leases.
HELD_BY_PARTS = "parts"
_LEASE_SECONDS = 10 * 365 * 86_400.0
_MAX_SIZE = 2_000_000_000  # that is counted of a file, because the column holds 31 bits
_BATCH = 100


@dataclass(frozen=True)
class NewPart:
    """A part to be scored: the key of its input in S3, its rows, and how many rows precede it."""

    key: str
    rows: int
    first: int = 0


@dataclass(frozen=True)
class Leftovers:
    """A batch job that has ended and still has files below `folder`; `kept` is its result."""

    job_id: str
    folder: str
    kept: str | None


def part_id(job_id: str, number: int) -> str:
    """Return the id of the row of a part."""
    return f"{job_id}.part-{number}"


def begin_parts(engine: sa.Engine, job_id: str, attempt: int, parts: Sequence[NewPart]) -> bool:
    """Queue the parts of a batch job, and let them hold it; both or neither.

    Return True also if this attempt did so before.
    """
    held = sa.update(jobs_table).where(*held_by(job_id, attempt), jobs_table.c.parts.is_(None))
    values = {
        "worker": HELD_BY_PARTS,
        "lease_until": database_now(_LEASE_SECONDS),
        "parts": len(parts),
        "progress": 0.0,
        **NEW_VERSION,
    }
    rows = [
        {
            "id": part_id(job_id, number),
            "owner": owner_of(job_id),
            "kind": JobKind.PART,
            "state": JobStatus.QUEUED,
            "request": asdict(part),
            "parent": job_id,
            "part": number,
        }
        for number, part in enumerate(parts)
    ]
    with transaction(engine, lock=job_id) as connection:
        if connection.execute(held.values(**values)).rowcount == 1:
            connection.execute(end_attempt(job_id, attempt, AttemptOutcome.SPLIT))
            connection.execute(sa.insert(jobs_table).values(created_at=database_now()), rows)
            return True
        again = (jobs_table.c.id == job_id, jobs_table.c.attempt == attempt)
        same = sa.exists().where(*again, jobs_table.c.parts == len(parts), UNENDED)
        return bool(connection.scalar(sa.select(same)))


def complete_part(
    engine: sa.Engine, part: Job, attempt: int, key: str, result: dict[str, Any]
) -> bool:
    """End a part with the key of its result; the last one queues its batch job again.

    Return True also if this attempt did so before. `ended_at` stays null, because the retention
    deletes jobs by it, and a part is needed as long as its batch job.
    """
    ended = {
        "state": JobStatus.COMPLETED,
        "error": None,
        "progress": 1.0,
        "result_key": key,
        "result": result,
        **NEW_VERSION,
    }
    column = jobs_table.c
    with transaction(engine, lock=part.parent) as connection:
        update = sa.update(jobs_table).where(*held_by(part.id, attempt)).values(**ended)
        if connection.execute(update).rowcount != 1:
            same = sa.exists().where(
                column.id == part.id,
                column.attempt == attempt,
                column.state == JobStatus.COMPLETED,
            )
            return bool(connection.scalar(sa.select(same)))
        connection.execute(end_attempt(part.id, attempt, AttemptOutcome.COMPLETED))
        done = (column.parent == part.parent) & (column.state == JobStatus.COMPLETED)
        count = connection.scalar(sa.select(sa.func.count()).where(done)) or 0
        waiting = [column.id == part.parent, IS_RUNNING, column.worker == HELD_BY_PARTS]
        progress = {"progress": count * 1.0 / column.parts, **NEW_VERSION}
        connection.execute(sa.update(jobs_table).where(*waiting).values(**progress))
        last = {"state": JobStatus.QUEUED, "worker": None, "published_at": None, "run_after": None}
        connection.execute(
            sa.update(jobs_table).where(*waiting, column.parts == count).values(**last)
        )
    return True


def complete_batch(
    engine: sa.Engine,
    job_id: str,
    attempt: int,
    key: str,
    sha256: str,
    result: dict[str, Any],
    size: int,
) -> bool:
    """Publish the result of a batch job, a file of `size` bytes at `key`.

    Return True also if this attempt did so before.
    """
    column = jobs_table.c
    values = {
        "state": JobStatus.COMPLETED,
        "error": None,
        "progress": 1.0,
        "result_key": key,
        "result_sha256": sha256,
        "result": result,
        **END,
        "size": END["size"] + min(size, _MAX_SIZE),
    }
    update = sa.update(jobs_table).where(*held_by(job_id, attempt)).values(**values)
    if end_attempts(engine, update, AttemptOutcome.COMPLETED):
        return True
    same = sa.exists().where(
        column.id == job_id, column.attempt == attempt, column.result_key == key
    )
    with connect(engine) as connection:
        return bool(connection.scalar(sa.select(same)))


def cancel_parts_of(job_id: str) -> sa.Update:
    """Return the UPDATE that ends the parts of a batch job which have not ended."""
    unended = sa.update(jobs_table).where(jobs_table.c.parent == job_id, UNENDED)
    return unended.values(state=JobStatus.CANCELLED, **NEW_VERSION)


def cancel_parts(engine: sa.Engine, job_id: str) -> None:
    """End the parts of a batch job that an older version has cancelled."""
    with transaction(engine) as connection:
        connection.execute(cancel_parts_of(job_id))
        connection.execute(cancel_attempts_of(job_id))


def end_failed_batches(engine: sa.Engine) -> int:
    """End the batch jobs of which a part failed for good, with its error; return how many."""
    part, batch = jobs_table.alias("failed_part"), jobs_table.c
    failed = (
        sa.select(batch.id, part.c.part, part.c.error)
        .join_from(jobs_table, part, part.c.parent == batch.id)
        .where(
            batch.kind == JobKind.BATCH,
            batch.state == JobStatus.RUNNING,
            batch.worker == HELD_BY_PARTS,
            part.c.state == JobStatus.ERROR,
        )
        .limit(_BATCH)
    )
    with connect(engine) as connection:
        found = {row.id: (row.part, row.error) for row in connection.execute(failed)}
    for job_id, (number, error) in found.items():
        said = {**error, "part": number}
        waiting = [batch.id == job_id, IS_RUNNING, batch.worker == HELD_BY_PARTS]
        update = sa.update(jobs_table).where(*waiting)
        with transaction(engine, lock=job_id) as connection:
            connection.execute(update.values(state=JobStatus.ERROR, error=said, **END))
            connection.execute(cancel_parts_of(job_id))
            connection.execute(cancel_attempts_of(job_id))
    return len(found)


def parts_of(engine: sa.Engine, job_id: str) -> list[Job]:
    """Return the parts of a batch job in order."""
    query = sa.select(*JOB_COLUMNS).where(jobs_table.c.parent == job_id)
    return sorted(read_jobs(engine, query), key=lambda job: job.part or 0)


def leftovers(engine: sa.Engine, limit: int = _BATCH) -> list[Leftovers]:
    """Return batch jobs that have ended and were not cleaned up, the last ones first.

    So those of which S3 keeps a file do not keep the others from their turn.
    """
    column = jobs_table.c
    ended = column.folder.is_not(None) & column.ended_at.is_not(None)
    query = sa.select(column.id, column.folder, column.result_key).where(ended)
    query = query.order_by(column.ended_at.desc()).limit(limit)
    with connect(engine) as connection:
        return [Leftovers(*row) for row in connection.execute(query)]


def forget_parts(engine: sa.Engine, job_id: str) -> None:
    """Delete the parts of a batch job that has ended, after their files."""
    ended = jobs_table.c.ended_at.is_not(None)
    update = sa.update(jobs_table).where(jobs_table.c.id == job_id, ended).values(folder=None)
    with transaction(engine, lock=job_id) as connection:
        if connection.execute(update).rowcount == 1:
            its_parts = jobs_table.c.parent == job_id
            connection.execute(delete_attempts(its_parts))
            connection.execute(sa.delete(jobs_table).where(its_parts))
