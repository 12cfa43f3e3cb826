"""The job table and its transitions: the only module that knows SQLAlchemy.

The row is the truth about a job, the queue only its doorbell. Every transition is one UPDATE that
names the state, and after the claim the attempt, it starts from (a compare-and-set): whoever comes
late changes no row. `attempt` is thus a fencing token in the sense of M. Kleppmann, "How to do
distributed locking" (2016). Times are the database's.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError, SQLAlchemyError
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement

from app import errors
from app.messages import LATEST, Status

metadata = sa.MetaData()
table = sa.Table(
    "jobs",
    metadata,
    sa.Column("id", sa.String(128), primary_key=True),
    sa.Column("kind", sa.String(32), nullable=False),
    sa.Column("state", sa.String(32), nullable=False),
    sa.Column("dataset_id", sa.String(128), nullable=False),
    sa.Column("request", sa.JSON, nullable=False),
    sa.Column("attempt", sa.Integer, nullable=False, default=0),
    sa.Column("worker", sa.String(256)),
    sa.Column("result_key", sa.String(1024)),
    sa.Column("result_sha256", sa.String(64)),
    sa.Column("metrics", sa.JSON(none_as_null=True)),
    sa.Column("error", sa.JSON(none_as_null=True)),
    sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
    sa.Column("started_at", sa.DateTime(timezone=True)),
    sa.Column("ended_at", sa.DateTime(timezone=True)),
    sa.Index("ix_jobs_created_at", "created_at", "id"),
    sa.Index("ix_jobs_state_dataset", "state", "dataset_id", "ended_at"),
)


class _Now(FunctionElement[datetime]):
    """The database's clock, with milliseconds on SQLite and microseconds on PostgreSQL."""

    type = sa.DateTime(timezone=True)
    inherit_cache = True


@compiles(_Now, "sqlite")
def _now_sqlite(*_: Any, **__: Any) -> str:
    return "strftime('%Y-%m-%d %H:%M:%f000', 'now')"


@compiles(_Now, "postgresql")
def _now_postgresql(*_: Any, **__: Any) -> str:
    return "clock_timestamp()"


@dataclass(frozen=True)
class Job:
    """A row of the table."""

    id: str
    kind: str
    state: Status
    dataset_id: str
    request: dict[str, Any]
    attempt: int
    worker: str | None
    result_key: str | None
    result_sha256: str | None
    metrics: dict[str, float] | None
    error: dict[str, Any] | None
    created_at: datetime
    started_at: datetime | None
    ended_at: datetime | None


class JobStore:
    """The table, on SQLite or PostgreSQL. Methods raise `errors.DatabaseUnavailable`.

    Transitions return whether they applied.
    """

    def __init__(self, url: str) -> None:
        """`url` as SQLAlchemy writes it; nothing is sent yet."""
        self._engine = engine(url)

    def accept(self, job_id: str, kind: str, dataset_id: str, request: dict[str, Any]) -> bool:
        """Write a new job as `TASK_QUEUED`; False when the id is taken."""
        row = {"id": job_id, "kind": kind, "dataset_id": dataset_id, "request": request}
        insert = sa.insert(table).values(**row, state=Status.QUEUED, created_at=_Now())
        try:
            self._write(insert)
        except IntegrityError:
            return False
        return True

    def claim(self, job_id: str, worker: str, redelivered: bool) -> int | None:
        """Start an attempt; return its number, or None when the job is not to be run.

        A job that runs is claimed anew only for a message that was redelivered: the broker does
        that when the consumer before has lost its connection. Or by the same worker, whose claim
        before got lost on the way back: it runs one job at a time.
        """
        running = table.c.state == Status.RUNNING
        mine = running if redelivered else running & (table.c.worker == worker)
        update = (
            sa.update(table)
            .where(table.c.id == job_id, (table.c.state == Status.QUEUED) | mine)
            .values(
                state=Status.RUNNING,
                attempt=table.c.attempt + 1,
                worker=worker,
                started_at=_Now(),
            )
            .returning(table.c.attempt)
        )
        with _connected(self._engine) as connection:
            attempt: int | None = connection.scalar(update)
            return attempt

    def complete(
        self, job_id: str, attempt: int, key: str, sha256: str, metrics: dict[str, float]
    ) -> bool:
        """Publish the result of an attempt."""
        return self._end(
            self._running(job_id, attempt),
            state=Status.COMPLETED,
            result_key=key,
            result_sha256=sha256,
            metrics=metrics,
        )

    def fail(self, job_id: str, attempt: int, error: dict[str, Any]) -> bool:
        """End an attempt, and the job, with an error."""
        return self._end(self._running(job_id, attempt), state=Status.ERROR, error=error)

    def release(self, job_id: str, attempt: int) -> bool:
        """Give an attempt up, for another consumer to begin the next."""
        update = sa.update(table).where(*self._running(job_id, attempt))
        return self._write(update.values(state=Status.QUEUED, worker=None))

    def withdraw(self, job_id: str, error: dict[str, Any]) -> bool:
        """End a job whose message could not be published; it was never promised to anybody."""
        queued = [table.c.id == job_id, table.c.state == Status.QUEUED]
        return self._end(queued, state=Status.ERROR, error=error)

    def get(self, job_id: str) -> Job | None:
        """Return a job."""
        return next(iter(self._read(sa.select(table).where(table.c.id == job_id))), None)

    def newest(self, limit: int, state: Status | None = None) -> list[Job]:
        """Return the newest jobs, of one state or of all."""
        query = sa.select(table).order_by(table.c.created_at.desc(), table.c.id).limit(limit)
        return self._read(query.where(table.c.state == state) if state else query)

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
        return next(iter(self._read(query.order_by(table.c.ended_at.desc()).limit(1))), None)

    def check(self) -> None:
        """Raise unless the table can be read."""
        self._read(sa.select(table).limit(1))

    def close(self) -> None:
        """Close the connections."""
        self._engine.dispose()

    @staticmethod
    def _running(job_id: str, attempt: int) -> list[sa.ColumnElement[bool]]:
        return [
            table.c.id == job_id,
            table.c.state == Status.RUNNING,
            table.c.attempt == attempt,
        ]

    def _end(self, where: list[sa.ColumnElement[bool]], **values: Any) -> bool:
        return self._write(sa.update(table).where(*where).values(**values, ended_at=_Now()))

    def _write(self, statement: sa.Update | sa.Insert) -> bool:
        with _connected(self._engine) as connection:
            return connection.execute(statement).rowcount == 1

    def _read(self, query: sa.Select[Any]) -> list[Job]:
        with _connected(self._engine) as connection:
            return [_job(row) for row in connection.execute(query).mappings()]


# As many as the producer has threads that may ask at once.
_POOL: dict[str, Any] = {"pool_size": 8, "max_overflow": 32, "pool_timeout": 5}


def engine(url: str) -> sa.Engine:
    """Return an engine that commits each statement: every transition is one."""
    made = sa.create_engine(url, isolation_level="AUTOCOMMIT", pool_pre_ping=True, **_POOL)
    if made.dialect.name == "sqlite":
        sa.event.listen(made, "connect", _durable)
    return made


def _durable(connection: Any, _: Any) -> None:
    """Let readers and a writer work side by side, and let a commit survive a power cut."""
    for pragma in ("journal_mode = WAL", "synchronous = FULL", "busy_timeout = 5000"):
        connection.execute(f"PRAGMA {pragma}")


@contextmanager
def _connected(engine: sa.Engine) -> Iterator[sa.Connection]:
    """Lend a connection; turn SQLAlchemy's errors but a broken key into ours."""
    try:
        with engine.connect() as connection:
            yield connection
    except IntegrityError:
        raise
    except SQLAlchemyError as error:
        cause = getattr(error, "orig", None) or error  # the driver's words, without our SQL
        raise errors.DatabaseUnavailable(f"the database cannot be used: {cause}") from error


def _job(row: sa.RowMapping) -> Job:
    """SQLite keeps no time zone: every time in the table is UTC."""
    values: dict[str, Any] = {
        name: value.replace(tzinfo=UTC)
        if isinstance(value, datetime) and value.tzinfo is None
        else value
        for name, value in row.items()
    }
    return Job(**{**values, "state": Status(row["state"])})
