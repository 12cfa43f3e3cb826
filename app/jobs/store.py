"""The jobs and their transitions.

The row is the truth about a job, the queue only its doorbell. Every transition is one UPDATE that
names the state, and after the claim the attempt, it starts from (a compare-and-set): whoever comes
late changes no row. `attempt` is thus a fencing token, and a running job's lease a promise to be
heard of again, in the sense of M. Kleppmann, "How to do distributed locking" (2016).
"""

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

from app import errors
from app.database.engine import connect, create_engine, database_now, insert
from app.database.tables import jobs_table
from app.jobs.record import JOB_COLUMNS, Job, job_columns_without, read_jobs
from app.protocol.types import JobStatus
from app.settings import Settings

JOB_KINDS = ("train", "predict")  # of rows that are work to be done,
REGISTERED_KINDS = ("onnx", "endpoint")  # and of models that came finished
SUSPECT_SECONDS = 3.0  # a consumer that has not been heard of for so long may be dead

IS_QUEUED = jobs_table.c.state == JobStatus.QUEUED
_IS_RUNNING = jobs_table.c.state == JobStatus.RUNNING
_CONSUMER_LOST = sa.literal(errors.ConsumerLost().to_wire(), jobs_table.c.error.type)
_NEW_VERSION = {"version": jobs_table.c.version + 1}
_END: dict[str, Any] = {
    "ended_at": database_now(),
    "run_after": None,
    "inputs": None,
    **_NEW_VERSION,
}


class JobStore:
    """The table, on SQLite or PostgreSQL. Methods raise `errors.DatabaseUnavailable`.

    Transitions return whether they applied.
    """

    def __init__(self, url: str, lease: float = 15.0, max_attempts: int = 4) -> None:
        """`url` as SQLAlchemy writes it, `lease` in seconds; nothing is sent yet."""
        self.engine = create_engine(url)
        self._lease = lease
        self._max_attempts = max_attempts

    def create(
        self, job_id: str, kind: str, dataset_id: str | None, request: dict[str, Any], **more: Any
    ) -> bool:
        """Write a new job as `TASK_QUEUED`; False when its id or its `idempotency_key` is taken.

        The caller publishes the message, or calls `mark_unpublished` if that failed. `more` may
        hold `idempotency_key`, `reply_to`, `correlation_id`, `inputs` and `sync`.
        """
        row = {"id": job_id, "kind": kind, "dataset_id": dataset_id, "request": request, **more}
        queued = {
            "state": JobStatus.QUEUED,
            "created_at": database_now(),
            "published_at": database_now(),
        }
        return insert(self.engine, {**row, **queued})

    def mark_unpublished(self, *job_ids: str) -> None:
        """Say that no message stands for these jobs any more, so that one is published."""
        queued = sa.update(jobs_table).where(jobs_table.c.id.in_(job_ids), IS_QUEUED)
        self._write(queued.values(published_at=None))

    def claim(self, job_id: str, worker: str, redelivered: bool) -> int | None:
        """Start an attempt; return its number, or None when the job is not to be run.

        A job that runs is taken over when its lease has ended; and for a message that was
        redelivered, and whose consumer the caller has watched in vain, as soon as the lease has not
        been renewed for `SUSPECT_SECONDS`. Or by the same `worker`, whose claim before got lost on
        the way back: it asks for no job that it holds.
        """
        patience = self._lease - SUSPECT_SECONDS if redelivered else 0.0
        mine = jobs_table.c.worker == worker
        dead = (jobs_table.c.lease_until < database_now(patience)) & (
            jobs_table.c.failures + 1 < self._max_attempts
        )
        taken_over = _IS_RUNNING & ~mine
        update = (
            sa.update(jobs_table)
            .where(jobs_table.c.id == job_id, IS_QUEUED | (_IS_RUNNING & (mine | dead)))
            .values(
                state=JobStatus.RUNNING,
                attempt=jobs_table.c.attempt + 1,
                failures=jobs_table.c.failures + sa.case((taken_over, 1), else_=0),
                error=sa.case((taken_over, _CONSUMER_LOST), else_=jobs_table.c.error),
                worker=worker,
                progress=None,
                run_after=None,
                started_at=database_now(),
                lease_until=database_now(self._lease),
                **_NEW_VERSION,
            )
            .returning(jobs_table.c.attempt)
        )
        with connect(self.engine) as connection:
            attempt: int | None = connection.scalar(update)
            return attempt

    def renew(self, held: Mapping[tuple[str, int], float | None]) -> set[tuple[str, int]]:
        """Renew the leases of attempts, by (job_id, attempt); return those that have their job.

        The values are progress to write, a fraction, or None where there is no news.
        """
        progress = {job_id: value for (job_id, _), value in held.items() if value is not None}
        values: dict[str, Any] = {"lease_until": database_now(self._lease)}
        if progress:
            columns = jobs_table.c
            values["progress"] = sa.case(progress, value=columns.id, else_=columns.progress)
            seen = sa.case((columns.id.in_(progress), 1), else_=0)
            values["version"] = columns.version + seen
        update = (
            sa.update(jobs_table)
            .where(sa.tuple_(jobs_table.c.id, jobs_table.c.attempt).in_(list(held)), _IS_RUNNING)
            .values(**values)
            .returning(jobs_table.c.id, jobs_table.c.attempt)
        )
        with connect(self.engine) as connection:
            return {(row.id, row.attempt) for row in connection.execute(update)}

    def complete_training(
        self, job_id: str, attempt: int, key: str, sha256: str, metrics: dict[str, float]
    ) -> bool:
        """Publish the result of an attempt. True again when this very result is published."""
        result = {"result_key": key, "result_sha256": sha256, "metrics": metrics}
        if self._from(
            job_id, attempt, state=JobStatus.COMPLETED, error=None, progress=1.0, **result, **_END
        ):
            return True
        job = self.get(job_id)  # the answer to a commit may get lost, and then it is asked again
        return job is not None and (job.attempt, job.result_key) == (attempt, key)

    def complete_prediction(self, job_id: str, attempt: int, result: dict[str, Any]) -> bool:
        """Publish the answer of a predict job. True again when this attempt's is published."""
        ended = {"state": JobStatus.COMPLETED, "error": None, "progress": 1.0, **_END}
        if self._from(job_id, attempt, result=result, **ended):
            return True
        job = self.get(job_id)
        return job is not None and (job.attempt, job.state) == (attempt, JobStatus.COMPLETED)

    def fail(self, job_id: str, attempt: int, error: dict[str, Any]) -> bool:
        """End an attempt, and the job, with an error that would come again."""
        return self._from(job_id, attempt, state=JobStatus.ERROR, error=error, **_END)

    def retry(self, job_id: str, attempt: int, error: dict[str, Any], delay: float) -> bool:
        """End an attempt with an error that may not come again: the next may begin in `delay` s.

        Ends the job when it was the last.
        """
        return self._write(self._failed(self._running(job_id, attempt), error, delay))

    def refuse(self, job_id: str, error: dict[str, Any], delay: float) -> bool:
        """Count a failure for a queued job whose message a consumer could not understand.

        Another consumer may, if it is newer. Ends the job when it was the last chance.
        """
        return self._write(self._failed([jobs_table.c.id == job_id, IS_QUEUED], error, delay))

    def release(self, job_id: str, attempt: int) -> bool:
        """Give an attempt up that did not fail; its message goes back to the queue."""
        values = {"worker": None, "progress": None, "published_at": database_now(), **_NEW_VERSION}
        return self._from(job_id, attempt, state=JobStatus.QUEUED, **values)

    def cancel(self, job_id: str) -> bool:
        """End a job that has not ended; the lease of one that runs is not renewed any more."""
        unended = sa.update(jobs_table).where(jobs_table.c.id == job_id, IS_QUEUED | _IS_RUNNING)
        return self._write(unended.values(state=JobStatus.CANCELLED, **_END))

    def requeue_expired_leases(self) -> int:
        """Queue every job again, or end it, whose lease has ended; return how many there were."""
        with connect(self.engine) as connection:
            lost = [_IS_RUNNING, jobs_table.c.lease_until < database_now()]
            return connection.execute(self._failed(lost, _CONSUMER_LOST, delay=0.0)).rowcount

    def _failed(
        self, where: list[sa.ColumnElement[bool]], error: object, delay: float
    ) -> sa.Update:
        last = jobs_table.c.failures + 1 >= self._max_attempts
        return (
            sa.update(jobs_table)
            .where(*where)
            .values(
                state=sa.case((last, JobStatus.ERROR), else_=JobStatus.QUEUED),
                ended_at=sa.case((last, database_now()), else_=None),
                inputs=sa.case((last, None), else_=jobs_table.c.inputs),
                failures=jobs_table.c.failures + 1,
                error=error,
                worker=None,
                progress=None,
                published_at=None,
                run_after=sa.case((last, None), else_=database_now(delay)),
                **_NEW_VERSION,
            )
        )

    def get(self, job_id: str) -> Job | None:
        """Return a job."""
        return self._one(sa.select(*JOB_COLUMNS).where(jobs_table.c.id == job_id))

    def version(self, job_id: str) -> tuple[int, bool] | None:
        """Return a job's version, and whether it has ended: what costs little to look at often."""
        query = sa.select(jobs_table.c.version, jobs_table.c.ended_at).where(
            jobs_table.c.id == job_id
        )
        with connect(self.engine) as connection:
            row = connection.execute(query).first()
            return row and (row.version, row.ended_at is not None)

    def inputs(self, job_id: str) -> str | None:
        """Return the JSON that a predict job asks about; None when the job has ended."""
        query = sa.select(jobs_table.c.inputs).where(jobs_table.c.id == job_id)
        with connect(self.engine) as connection:
            text: str | None = connection.scalar(query)
            return text

    def of_key(self, idempotency_key: str) -> Job | None:
        """Return the job that was accepted under a key."""
        return self._one(
            sa.select(*JOB_COLUMNS).where(jobs_table.c.idempotency_key == idempotency_key)
        )

    def position(self, job: Job) -> int:
        """Return the place of a queued job in its queue: 1 is the next."""
        before = sa.tuple_(jobs_table.c.created_at, jobs_table.c.id) < (job.created_at, job.id)
        ahead = [IS_QUEUED, jobs_table.c.kind == job.kind, before]
        query = sa.select(sa.func.count()).select_from(jobs_table).where(*ahead)
        with connect(self.engine) as connection:
            return 1 + (connection.scalar(query) or 0)

    def newest(self, limit: int, state: JobStatus | None = None) -> list[Job]:
        """Return the newest jobs, of one state or of all, without the answers: they may be long."""
        kinds = jobs_table.c.kind.not_in(
            REGISTERED_KINDS
        )  # for `in_(JOB_KINDS)` SQLite sorts the whole table
        query = sa.select(*job_columns_without("result", "sync")).where(kinds)
        query = query.order_by(jobs_table.c.created_at.desc(), jobs_table.c.id.desc()).limit(limit)
        return read_jobs(self.engine, query.where(jobs_table.c.state == state) if state else query)

    def check(self) -> None:
        """Raise unless the table can be read."""
        read_jobs(self.engine, sa.select(*JOB_COLUMNS).limit(1))

    def close(self) -> None:
        """Close the connections."""
        self.engine.dispose()

    @staticmethod
    def _running(job_id: str, attempt: int) -> list[sa.ColumnElement[bool]]:
        return [jobs_table.c.id == job_id, _IS_RUNNING, jobs_table.c.attempt == attempt]

    def _from(self, job_id: str, attempt: int, **values: Any) -> bool:
        """Change the row if this attempt still has the job."""
        return self._write(
            sa.update(jobs_table).where(*self._running(job_id, attempt)).values(**values)
        )

    def _write(self, statement: sa.Update) -> bool:
        with connect(self.engine) as connection:
            return connection.execute(statement).rowcount == 1

    def _one(self, query: sa.Select[Any]) -> Job | None:
        return next(iter(read_jobs(self.engine, query)), None)


def open_store(settings: Settings) -> JobStore:
    """Return the table that the settings name."""
    url = settings.database_url.get_secret_value()
    return JobStore(url, settings.lease_seconds, settings.max_attempts)
