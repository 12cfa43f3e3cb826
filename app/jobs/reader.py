"""Read the job table: single jobs, lists, and positions in the queue."""

from collections.abc import Collection
from datetime import datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from app.auth.names import is_latest, owner_of
from app.database.engine import connect, create_engine, read_time, sqlite_file
from app.database.paging import Page
from app.database.tables import jobs_table
from app.jobs.listing import JobFilter, Place, count_jobs, jobs_at, list_jobs, list_places
from app.jobs.parts import HELD_BY_PARTS
from app.jobs.record import JOB_COLUMNS, Job, read_jobs, shown_columns
from app.jobs.transitions import IS_RUNNING
from app.protocol.types import JobKind, JobStatus

_NEWEST_FIRST = (jobs_table.c.created_at.desc(), jobs_table.c.id.desc())
IS_QUEUED = jobs_table.c.state == JobStatus.QUEUED
_IS_SHOWN = jobs_table.c.parent.is_(None)  # only the batch job shows its parts


def of_job(query: sa.Select[Any], job_id: str) -> sa.Select[Any]:
    """Return a query of the job table for one job; `latest` is its owner's newest one."""
    query = query.where(_IS_SHOWN)
    if is_latest(job_id):
        newest = query.where(jobs_table.c.owner == owner_of(job_id)).order_by(*_NEWEST_FIRST)
        return newest.limit(1)
    return query.where(jobs_table.c.id == job_id)


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
        file = sqlite_file(self.engine)
        return file and file.parent

    def get(self, job_id: str) -> Job | None:
        """Return a job."""
        return self._one(sa.select(*JOB_COLUMNS).where(jobs_table.c.id == job_id))

    def show(self, job_id: str) -> Job | None:
        """Return a job without answers that are long; `latest` is its owner's newest one."""
        return self._one(of_job(sa.select(*shown_columns()), job_id))

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

    def versions(self, job_ids: Collection[str]) -> dict[str, int]:
        """Return the versions of those jobs that exist; this is cheap enough to poll."""
        column = jobs_table.c
        query = sa.select(column.id, column.version).where(column.id.in_(job_ids), _IS_SHOWN)
        with connect(self.engine) as connection:
            return {row.id: row.version for row in connection.execute(query)}

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
        return self.list(JobFilter(state=state), Page(limit, "-created_at"))[0]

    def places(self, which: JobFilter, page: Page) -> list[Place]:
        """Return the places of a page's jobs, which change when the page does."""
        return list_places(self.engine, which, page, _IS_SHOWN)

    def at(self, places: list[Place], page: Page) -> tuple[list[Job], str | None]:
        """Return the jobs at some places in short, and the cursor of the next page."""
        return jobs_at(self.engine, places, page)

    def list(self, which: JobFilter, page: Page) -> tuple[list[Job], str | None]:
        """Return jobs in short, and the cursor of the next page; see `list_jobs`."""
        return list_jobs(self.engine, which, page, _IS_SHOWN)

    def count(self, which: JobFilter, most: int) -> int:
        """Return how many jobs there are, or `most` if there are more."""
        return count_jobs(self.engine, which, most, _IS_SHOWN)

    def leases(self) -> dict[str, datetime]:
        """Return until when the latest lease of each consumer with running jobs lasts.

        A consumer is named by what its workers' names have in front of the last colon.
        """
        query = sa.select(jobs_table.c.worker, sa.func.max(jobs_table.c.lease_until))
        running = (IS_RUNNING, jobs_table.c.worker != HELD_BY_PARTS)
        query = query.where(*running).group_by(jobs_table.c.worker)
        found: dict[str, datetime] = {}
        with connect(self.engine) as connection:
            for worker, lease in connection.execute(query):
                consumer = worker.rpartition(":")[0]
                found[consumer] = max(lease, found.get(consumer, lease))
        return found

    def check(self) -> None:
        """Raise unless the table can be read."""
        read_jobs(self.engine, sa.select(*JOB_COLUMNS).limit(1))

    def close(self) -> None:
        """Close the connections."""
        self.engine.dispose()

    def _one(self, query: sa.Select[Any]) -> Job | None:
        return next(iter(read_jobs(self.engine, query)), None)
