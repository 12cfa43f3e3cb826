"""The jobs and their transitions.

The row is the truth about a job, the queue only its doorbell. Every transition is one UPDATE that
names the state, and after the claim the attempt, it starts from (a compare-and-set): whoever comes
late changes no row. `attempt` is thus a fencing token, and a running job's lease a promise to be
heard of again, in the sense of M. Kleppmann, "How to do distributed locking" (2016).
"""

from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from app import errors
from app.database import Job, connected, engine, now, read, table
from app.messages import LATEST, Status
from app.settings import Settings

SUSPECT_SECONDS = 3.0  # a consumer that has not been heard of for so long may be dead

QUEUED = table.c.state == Status.QUEUED
_RUNNING = table.c.state == Status.RUNNING
_SEEN = {"version": table.c.version + 1}
_ENDED: dict[str, Any] = {"ended_at": now(), "run_after": None, **_SEEN}


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
        self, job_id: str, kind: str, dataset_id: str, request: dict[str, Any], **more: str | None
    ) -> bool:
        """Write a new job as `TASKQUEUED`; False when its id or its `idempotency_key` is taken.

        Whoever accepts also publishes the message; when that fails, `unpublish` says so. `more` may
        be `idempotency_key`, `reply_to` and `correlation_id`.
        """
        row = {"id": job_id, "kind": kind, "dataset_id": dataset_id, "request": request, **more}
        queued = {"state": Status.QUEUED, "created_at": now(), "published_at": now()}
        try:
            with connected(self.engine) as connection:  # psycopg counts no rows of an INSERT
                connection.execute(sa.insert(table).values(**row, **queued))
        except IntegrityError:
            return False
        return True

    def unpublish(self, *job_ids: str) -> None:
        """Say that no message stands for these jobs any more, so that one is published."""
        queued = sa.update(table).where(table.c.id.in_(job_ids), QUEUED)
        self._write(queued.values(published_at=None))

    def claim(self, job_id: str, worker: str, redelivered: bool) -> int | None:
        """Start an attempt; return its number, or None when the job is not to be run.

        A job that runs is taken over when its lease has ended; and for a message that was
        redelivered, and whose consumer the caller has watched in vain, as soon as the lease has not
        been renewed for `SUSPECT_SECONDS`. Or by the same `worker`, whose claim before got lost on
        the way back: it runs one job at a time.
        """
        patience = self._lease - SUSPECT_SECONDS if redelivered else 0.0
        mine = table.c.worker == worker
        dead = (table.c.lease_until < now(patience)) & (table.c.failures + 1 < self._max_attempts)
        update = (
            sa.update(table)
            .where(table.c.id == job_id, QUEUED | (_RUNNING & (mine | dead)))
            .values(
                state=Status.RUNNING,
                attempt=table.c.attempt + 1,
                failures=table.c.failures + sa.case((_RUNNING & ~mine, 1), else_=0),
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
        error = errors.ConsumerLost().to_wire()
        with connected(self.engine) as connection:
            lost = [_RUNNING, table.c.lease_until < now()]
            return connection.execute(self._failed(lost, error, delay=0.0)).rowcount

    def _failed(
        self, where: list[sa.ColumnElement[bool]], error: dict[str, Any], delay: float
    ) -> sa.Update:
        last = table.c.failures + 1 >= self._max_attempts
        return (
            sa.update(table)
            .where(*where)
            .values(
                state=sa.case((last, Status.ERROR), else_=Status.QUEUED),
                ended_at=sa.case((last, now()), else_=None),
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
        return self._one(sa.select(table).where(table.c.id == job_id))

    def of_key(self, idempotency_key: str) -> Job | None:
        """Return the job that was accepted under a key."""
        return self._one(sa.select(table).where(table.c.idempotency_key == idempotency_key))

    def position(self, job: Job) -> int:
        """Return the place of a queued job in its queue: 1 is the next."""
        before = sa.tuple_(table.c.created_at, table.c.id) < (job.created_at, job.id)
        query = sa.select(sa.func.count()).select_from(table).where(QUEUED, before)
        with connected(self.engine) as connection:
            return 1 + (connection.scalar(query) or 0)

    def newest(self, limit: int, state: Status | None = None) -> list[Job]:
        """Return the newest jobs, of one state or of all."""
        query = sa.select(table).order_by(table.c.created_at.desc(), table.c.id).limit(limit)
        return read(self.engine, query.where(table.c.state == state) if state else query)

    def model(self, model_id: str, dataset_id: str | None = None) -> Job:
        """Return the job whose result a model is; `latest` is the newest, of one data set or all.

        Raises `errors.NotFound`, or `NotReady` while there is no result.
        """
        job = self._latest(dataset_id) if model_id == LATEST else self.get(model_id)
        if job is None:
            among = f" on data set {dataset_id}" if dataset_id and model_id == LATEST else ""
            raise errors.NotFound(
                f"model_id: there is no model {model_id}{among}", field="model_id"
            )
        if job.state is not Status.COMPLETED:
            cause = f": {job.error['detail']}" if job.error else ""
            raise errors.NotReady(
                f"model_id: model {model_id} cannot answer, its training is {job.state}{cause}",
                field="model_id",
                state=job.state,
            )
        return job

    def _latest(self, dataset_id: str | None) -> Job | None:
        query = sa.select(table).where(table.c.state == Status.COMPLETED)
        if dataset_id:
            query = query.where(table.c.dataset_id == dataset_id)
        return self._one(query.order_by(table.c.ended_at.desc(), table.c.id).limit(1))

    def check(self) -> None:
        """Raise unless the table can be read."""
        read(self.engine, sa.select(table).limit(1))

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
