"""The jobs and their transitions.

The row is the truth about a job, the queue only its doorbell. Every transition is one UPDATE that
names the state, and after the claim the attempt, it starts from (a compare-and-set): whoever comes
late changes no row. `attempt` is thus a fencing token, and a running job's lease a promise to be
heard of again, in the sense of M. Kleppmann, "How to do distributed locking" (2016).
"""

from collections.abc import Collection
from typing import Any

import sqlalchemy as sa

from app import errors
from app.database import Job, columns, connected, engine, insert, now, read, table, without
from app.messages import Status
from app.settings import Settings

KINDS = ("train", "predict")  # of rows that are work to be done,
REGISTERED = ("onnx", "endpoint")  # and of models that came finished
SUSPECT_SECONDS = 3.0  # a consumer that has not been heard of for so long may be dead

QUEUED = table.c.state == Status.QUEUED
_RUNNING = table.c.state == Status.RUNNING
_CONSUMER_LOST = sa.literal(errors.ConsumerLost().to_wire(), table.c.error.type)
_SEEN = {"version": table.c.version + 1}
_ENDED: dict[str, Any] = {"ended_at": now(), "run_after": None, "inputs": None, **_SEEN}


class JobStore:
    """The table, on SQLite or PostgreSQL. Methods raise `errors.DatabaseUnavailable`.

    Transitions return whether they applied.
    """

    def __init__(self, url: str, lease: float = 15.0, max_attempts: int = 4) -> None:
        """`url` as SQLAlchemy writes it, `lease` in seconds; nothing is sent yet."""
        self.engine = engine(url)
        self._lease = lease
        self._max_attempts = max_attempts

    def accept(
        self, job_id: str, kind: str, dataset_id: str | None, request: dict[str, Any], **more: Any
    ) -> bool:
        """Write a new job as `TASK_QUEUED`; False when its id or its `idempotency_key` is taken.

        Whoever accepts also publishes the message, or says by `unpublish` that it failed. `more`:
        `idempotency_key`, `reply_to`, `correlation_id`, `inputs` and `sync`.
        """
        row = {"id": job_id, "kind": kind, "dataset_id": dataset_id, "request": request, **more}
        queued = {"state": Status.QUEUED, "created_at": now(), "published_at": now()}
        return insert(self.engine, {**row, **queued})

    def unpublish(self, *job_ids: str) -> None:
        """Say that no message stands for these jobs any more, so that one is published."""
        queued = sa.update(table).where(table.c.id.in_(job_ids), QUEUED)
        self._write(queued.values(published_at=None))

    def claim(self, job_id: str, worker: str, redelivered: bool) -> int | None:
        """Start an attempt; return its number, or None when the job is not to be run.

        A job that runs is taken over when its lease has ended; and for a message that was
        redelivered, and whose consumer the caller has watched in vain, as soon as the lease has not
        been renewed for `SUSPECT_SECONDS`. Or by the same `worker`, whose claim before got lost on
        the way back: it asks for no job that it holds.
        """
        patience = self._lease - SUSPECT_SECONDS if redelivered else 0.0
        mine = table.c.worker == worker
        dead = (table.c.lease_until < now(patience)) & (table.c.failures + 1 < self._max_attempts)
        taken_over = _RUNNING & ~mine
        update = (
            sa.update(table)
            .where(table.c.id == job_id, QUEUED | (_RUNNING & (mine | dead)))
            .values(
                state=Status.RUNNING,
                attempt=table.c.attempt + 1,
                failures=table.c.failures + sa.case((taken_over, 1), else_=0),
                error=sa.case((taken_over, _CONSUMER_LOST), else_=table.c.error),
                worker=worker,
                progress=None,
                run_after=None,
                started_at=now(),
                lease_until=now(self._lease),
                **_SEEN,
            )
            .returning(table.c.attempt)
        )
        with connected(self.engine) as connection:
            attempt: int | None = connection.scalar(update)
            return attempt

    def renew(self, job_id: str, attempt: int, progress: float | None = None) -> bool:
        """Renew the lease; `progress` is a fraction, None when it is what it was."""
        values: dict[str, Any] = {} if progress is None else {"progress": progress, **_SEEN}
        return self._from(job_id, attempt, lease_until=now(self._lease), **values)

    def renew_all(self, worker: str, job_ids: Collection[str]) -> set[str]:
        """Renew the leases of these jobs; return those that this worker still has."""
        update = (
            sa.update(table)
            .where(table.c.id.in_(job_ids), _RUNNING, table.c.worker == worker)
            .values(lease_until=now(self._lease))
            .returning(table.c.id)
        )
        with connected(self.engine) as connection:
            return set(connection.scalars(update))

    def complete(
        self, job_id: str, attempt: int, key: str, sha256: str, metrics: dict[str, float]
    ) -> bool:
        """Publish the result of an attempt. True again when this very result is published."""
        result = {"result_key": key, "result_sha256": sha256, "metrics": metrics}
        if self._from(
            job_id, attempt, state=Status.COMPLETED, error=None, progress=1.0, **result, **_ENDED
        ):
            return True
        job = self.get(job_id)  # the answer to a commit may get lost, and then it is asked again
        return job is not None and (job.attempt, job.result_key) == (attempt, key)

    def answer(self, job_id: str, attempt: int, result: dict[str, Any]) -> bool:
        """Publish the answer of a predict job. True again when this attempt's is published."""
        ended = {"state": Status.COMPLETED, "error": None, "progress": 1.0, **_ENDED}
        if self._from(job_id, attempt, result=result, **ended):
            return True
        job = self.get(job_id)
        return job is not None and (job.attempt, job.state) == (attempt, Status.COMPLETED)

    def fail(self, job_id: str, attempt: int, error: dict[str, Any]) -> bool:
        """End an attempt, and the job, with an error that would come again."""
        return self._from(job_id, attempt, state=Status.ERROR, error=error, **_ENDED)

    def retry(self, job_id: str, attempt: int, error: dict[str, Any], delay: float) -> bool:
        """End an attempt with an error that may not come again: the next may begin in `delay` s.

        Ends the job when it was the last.
        """
        return self._write(self._failed(self._running(job_id, attempt), error, delay))

    def refuse(self, job_id: str, error: dict[str, Any], delay: float) -> bool:
        """Count a failure for a queued job whose message a consumer could not understand.

        Another consumer may, if it is newer. Ends the job when it was the last chance.
        """
        return self._write(self._failed([table.c.id == job_id, QUEUED], error, delay))

    def release(self, job_id: str, attempt: int) -> bool:
        """Give an attempt up that did not fail; its message goes back to the queue."""
        values = {"worker": None, "progress": None, "published_at": now(), **_SEEN}
        return self._from(job_id, attempt, state=Status.QUEUED, **values)

    def cancel(self, job_id: str) -> bool:
        """End a job that has not ended; the lease of one that runs is not renewed any more."""
        unended = sa.update(table).where(table.c.id == job_id, QUEUED | _RUNNING)
        return self._write(unended.values(state=Status.CANCELLED, **_ENDED))

    def reap(self) -> int:
        """Queue every job again, or end it, whose lease has ended; return how many there were."""
        with connected(self.engine) as connection:
            lost = [_RUNNING, table.c.lease_until < now()]
            return connection.execute(self._failed(lost, _CONSUMER_LOST, delay=0.0)).rowcount

    def _failed(
        self, where: list[sa.ColumnElement[bool]], error: object, delay: float
    ) -> sa.Update:
        last = table.c.failures + 1 >= self._max_attempts
        return (
            sa.update(table)
            .where(*where)
            .values(
                state=sa.case((last, Status.ERROR), else_=Status.QUEUED),
                ended_at=sa.case((last, now()), else_=None),
                inputs=sa.case((last, None), else_=table.c.inputs),
                failures=table.c.failures + 1,
                error=error,
                worker=None,
                progress=None,
                published_at=None,
                run_after=sa.case((last, None), else_=now(delay)),
                **_SEEN,
            )
        )

    def get(self, job_id: str) -> Job | None:
        """Return a job."""
        return self._one(sa.select(*columns).where(table.c.id == job_id))

    def version(self, job_id: str) -> tuple[int, bool] | None:
        """Return a job's version, and whether it has ended: what costs little to look at often."""
        query = sa.select(table.c.version, table.c.ended_at).where(table.c.id == job_id)
        with connected(self.engine) as connection:
            row = connection.execute(query).first()
            return row and (row.version, row.ended_at is not None)

    def inputs(self, job_id: str) -> str | None:
        """Return the JSON that a predict job asks about; None when the job has ended."""
        query = sa.select(table.c.inputs).where(table.c.id == job_id)
        with connected(self.engine) as connection:
            text: str | None = connection.scalar(query)
            return text

    def of_key(self, idempotency_key: str) -> Job | None:
        """Return the job that was accepted under a key."""
        return self._one(sa.select(*columns).where(table.c.idempotency_key == idempotency_key))

    def position(self, job: Job) -> int:
        """Return the place of a queued job in its queue: 1 is the next."""
        before = sa.tuple_(table.c.created_at, table.c.id) < (job.created_at, job.id)
        ahead = [QUEUED, table.c.kind == job.kind, before]
        query = sa.select(sa.func.count()).select_from(table).where(*ahead)
        with connected(self.engine) as connection:
            return 1 + (connection.scalar(query) or 0)

    def newest(self, limit: int, state: Status | None = None) -> list[Job]:
        """Return the newest jobs, of one state or of all, without the answers: they may be long."""
        kinds = table.c.kind.not_in(REGISTERED)  # for `in_(KINDS)` SQLite sorts the whole table
        query = sa.select(*without("result", "sync")).where(kinds)
        query = query.order_by(table.c.created_at.desc(), table.c.id.desc()).limit(limit)
        return read(self.engine, query.where(table.c.state == state) if state else query)

    def check(self) -> None:
        """Raise unless the table can be read."""
        read(self.engine, sa.select(*columns).limit(1))

    def close(self) -> None:
        """Close the connections."""
        self.engine.dispose()

    @staticmethod
    def _running(job_id: str, attempt: int) -> list[sa.ColumnElement[bool]]:
        return [table.c.id == job_id, _RUNNING, table.c.attempt == attempt]

    def _from(self, job_id: str, attempt: int, **values: Any) -> bool:
        """Change the row if this attempt still has the job."""
        return self._write(sa.update(table).where(*self._running(job_id, attempt)).values(**values))

    def _write(self, statement: sa.Update) -> bool:
        with connected(self.engine) as connection:
            return connection.execute(statement).rowcount == 1

    def _one(self, query: sa.Select[Any]) -> Job | None:
        return next(iter(read(self.engine, query)), None)


def opened(settings: Settings) -> JobStore:
    """Return the table that the settings name."""
    url = settings.database_url.get_secret_value()
    return JobStore(url, settings.lease_seconds, settings.max_attempts)
