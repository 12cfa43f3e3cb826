"""Read the job table: single jobs, lists, and positions in the queue."""

from pathlib import Path
from typing import Any

import sqlalchemy as sa

from app.database.engine import connect, create_engine, read_time
from app.database.tables import jobs_table
from app.jobs.record import JOB_COLUMNS, Job, listed_columns, read_jobs, shown_columns
from app.protocol.types import LATEST, JobKind, JobStatus

_NEWEST_FIRST = (jobs_table.c.created_at.desc(), jobs_table.c.id.desc())
IS_QUEUED = jobs_table.c.state == JobStatus.QUEUED


class JobReader:
    """Reads the job table, on SQLite or PostgreSQL.

    Methods raise `errors.DatabaseUnavailable`.
    """

    def __init__(self, url: str) -> None:
        """Create an engine without connecting; `url` is an SQLAlchemy URL."""
        self.engine = create_engine(url)

    @property
    def folder(self) -> Path | None:
        """Return the folder of an SQLite database; the disk of a server is not known."""
        name = self.engine.url.database or ":memory:"
        is_path = self.engine.dialect.name == "sqlite" and not name.startswith((":", "file:"))
        return Path(name).absolute().parent if is_path else None

    def get(self, job_id: str) -> Job | None:
        """Return a job."""
        return self._one(sa.select(*JOB_COLUMNS).where(jobs_table.c.id == job_id))

    def show(self, job_id: str) -> Job | None:
        """Return a job without answers that are long; `latest` is the newest one."""
        query = sa.select(*shown_columns())
        if job_id == LATEST:
            return self._one(query.order_by(*_NEWEST_FIRST).limit(1))
        return self._one(query.where(jobs_table.c.id == job_id))

    def of_key(self, idempotency_key: str) -> Job | None:
        """Return the job with an idempotency key."""
        return self._one(
            sa.select(*JOB_COLUMNS).where(jobs_table.c.idempotency_key == idempotency_key)
        )

    def trainings_of(
        self, dataset_id: str, reply_to: str | None, correlation_id: str | None, seconds: float
    ) -> list[Job]:
        """Return the trainings that messages of one sender asked for, the newest first.

        They are on one data set, have no idempotency key, and have not ended or did so less than
        `seconds` ago.
        """
        column = jobs_table.c
        asked = sa.select(*JOB_COLUMNS).where(
            column.dataset_id == dataset_id,
            column.kind == JobKind.TRAIN,
            column.reply_to == reply_to,
            column.correlation_id == correlation_id,
            # SQLite would look a null up in the index of the keys, where most rows have it.
            sa.func.coalesce(column.idempotency_key, "") == "",
        )
        # Two queries, because PostgreSQL reads the whole history of the data set for an OR. Sorted
        # here, because SQLite may read the whole history of all data sets in the order asked for.
        with connect(self.engine) as connection:
            since = read_time(connection, -seconds)
        query = sa.union_all(
            asked.where(column.ended_at.is_(None)), asked.where(column.ended_at > since)
        )
        return sorted(read_jobs(self.engine, query), key=lambda job: job.created_at, reverse=True)

    def version(self, job_id: str) -> tuple[int, bool] | None:
        """Return a job's version and whether it has ended; this is cheap enough to poll."""
        query = sa.select(jobs_table.c.version, jobs_table.c.ended_at).where(
            jobs_table.c.id == job_id
        )
        with connect(self.engine) as connection:
            row = connection.execute(query).first()
            return row and (row.version, row.ended_at is not None)

    def inputs(self, job_id: str) -> str | None:
        """Return the JSON inputs of a prediction job; None when the job has ended."""
        query = sa.select(jobs_table.c.inputs).where(jobs_table.c.id == job_id)
        with connect(self.engine) as connection:
            text: str | None = connection.scalar(query)
            return text

    def position(self, job: Job) -> int:
        """Return the position of a queued job in its queue; the next job has position 1."""
        before = sa.tuple_(jobs_table.c.created_at, jobs_table.c.id) < (job.created_at, job.id)
        ahead = [IS_QUEUED, jobs_table.c.kind == job.kind, before]
        query = sa.select(sa.func.count()).select_from(jobs_table).where(*ahead)
        with connect(self.engine) as connection:
            return 1 + (connection.scalar(query) or 0)

    def newest(self, limit: int, state: JobStatus | None = None) -> list[Job]:
        """Return the newest jobs of one or all states, in short: see `listed_columns`."""
        query = sa.select(*listed_columns())
        query = query.order_by(*_NEWEST_FIRST).limit(limit)
        return read_jobs(self.engine, query.where(jobs_table.c.state == state) if state else query)

    def check(self) -> None:
        """Raise unless the table can be read."""
        read_jobs(self.engine, sa.select(*JOB_COLUMNS).limit(1))

    def close(self) -> None:
        """Close the connections."""
        self.engine.dispose()

    def _one(self, query: sa.Select[Any]) -> Job | None:
        return next(iter(read_jobs(self.engine, query)), None)
