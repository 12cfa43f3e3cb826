"""The jobs and their transitions.

The job row is authoritative; the message only announces it. Every transition is one UPDATE with
a compare-and-set: it names the state it starts from and, after the claim, the attempt. A late
attempt therefore changes no row. `attempt` is a fencing token, and a running job has a lease, as in
M. Kleppmann, "How to do distributed locking" (2016).
"""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from app.database.engine import connect, database_now, transaction
from app.database.tables import jobs_table
from app.jobs.acceptance import JobAcceptance
from app.jobs.model_publication import insert_trained_models
from app.jobs.reader import IS_QUEUED
from app.jobs.requeue import CONSUMER_LOST, ENDED_SIZE, count_failure, count_loss
from app.protocol.types import JobStatus
from app.settings import Settings

_IS_RUNNING = jobs_table.c.state == JobStatus.RUNNING
_NEW_VERSION: dict[str, Any] = {"version": jobs_table.c.version + 1}
_END = {
    **_NEW_VERSION,
    "ended_at": database_now(),
    "run_after": None,
    "inputs": None,
    "size": ENDED_SIZE,
}


class JobStore(JobAcceptance):
    """The job table. Transitions return whether they applied."""

    def __init__(
        self,
        url: str,
        lease: float = 15.0,
        max_attempts: int = 4,
        max_running: int | None = None,
    ) -> None:
        """Create an engine without connecting; `lease` is in seconds.

        A caller has at most `max_running` trainings at a time.
        """
        super().__init__(url)
        self._lease = lease
        self._max_attempts = max_attempts
        self.max_running = max_running

    def claim(self, job_id: str, worker: str) -> int | None:
        """Start an attempt at a queued job; return its number, or None when it must not be run.

        A running job is only claimed again by the same `worker`. It never claims a job that it
        knows to hold, so the answer to its first claim was lost.
        """
        mine = _IS_RUNNING & (jobs_table.c.worker == worker)
        update = (
            sa.update(jobs_table)
            .where(jobs_table.c.id == job_id, IS_QUEUED | mine)
            .values(
                state=JobStatus.RUNNING,
                attempt=jobs_table.c.attempt + 1,
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
        """Renew the leases of attempts, by (job_id, attempt); return those that hold their job.

        The values are the progress to write, a fraction, or None if it has not changed.
        """
        columns = jobs_table.c
        this = {key: sa.and_(columns.id == key[0], columns.attempt == key[1]) for key in held}
        progress = [(this[key], value) for key, value in held.items() if value is not None]
        values: dict[str, Any] = {"lease_until": database_now(self._lease)}
        if progress:
            values["progress"] = sa.case(*progress, else_=columns.progress)
            changed = sa.or_(*(which for which, _ in progress))
            values["version"] = columns.version + sa.case((changed, 1), else_=0)
        update = (
            sa.update(jobs_table)
            .where(sa.tuple_(columns.id, columns.attempt).in_(list(held)), _IS_RUNNING)
            .values(**values)
            .returning(columns.id, columns.attempt)
        )
        with connect(self.engine) as connection:
            return {(job_id, attempt) for job_id, attempt in connection.execute(update)}

    def complete_training(
        self,
        job_id: str,
        attempt: int,
        key: str,
        sha256: str,
        metrics: dict[str, float],
        fit_summary: dict[str, Any],
    ) -> bool:
        """Publish the result of an attempt: end the job and insert its model, both or neither.

        Return True also if this result was published before.
        """
        stored = {"result_key": key, "result_sha256": sha256}
        result = {**stored, "metrics": metrics, "fit_summary": fit_summary}
        ended = {"state": JobStatus.COMPLETED, "error": None, "progress": 1.0, **result, **_END}
        update = sa.update(jobs_table).where(*self._running(job_id, attempt)).values(**ended)
        with transaction(self.engine) as connection:
            if connection.execute(update).rowcount == 1:
                connection.execute(insert_trained_models(jobs_table.c.id == job_id))
                return True
        job = self.get(job_id)  # a caller that lost the answer to a commit repeats it
        return job is not None and (job.attempt, job.result_key) == (attempt, key)

    def complete_prediction(self, job_id: str, attempt: int, result: dict[str, Any]) -> bool:
        """Publish the answer of a prediction job; return True also if it was published before."""
        ended = {"state": JobStatus.COMPLETED, "error": None, "progress": 1.0, **_END}
        ended["size"] += len(json.dumps(result))
        if self._from(job_id, attempt, result=result, **ended):
            return True
        job = self.get(job_id)
        return job is not None and (job.attempt, job.state) == (attempt, JobStatus.COMPLETED)

    def fail(self, job_id: str, attempt: int, error: dict[str, Any]) -> bool:
        """End an attempt, and the job, with an error that would occur again."""
        return self._from(job_id, attempt, state=JobStatus.ERROR, error=error, **_END)

    def retry(self, job_id: str, attempt: int, error: dict[str, Any], delay: float) -> bool:
        """End an attempt with a temporary error; the next one may begin in `delay` seconds.

        Ends the job when this was the last attempt.
        """
        return self._write(
            count_failure(self._running(job_id, attempt), error, delay, self._max_attempts)
        )

    def refuse(self, job_id: str, error: dict[str, Any], delay: float) -> bool:
        """Count a failure for a queued job whose message a consumer could not read.

        A newer consumer may be able to. Ends the job when this was the last attempt.
        """
        return self._write(
            count_failure([jobs_table.c.id == job_id, IS_QUEUED], error, delay, self._max_attempts)
        )

    def release(self, job_id: str, attempt: int) -> bool:
        """End an attempt that did not fail; its message goes back to the queue."""
        values = {"worker": None, "progress": None, "published_at": database_now(), **_NEW_VERSION}
        return self._from(job_id, attempt, state=JobStatus.QUEUED, **values)

    def give_way(self, job_id: str, delay: float) -> bool:
        """Put a queued job back for `delay` seconds; its message is published again."""
        queued = sa.update(jobs_table).where(jobs_table.c.id == job_id, IS_QUEUED)
        return self._write(queued.values(published_at=None, run_after=database_now(delay)))

    def cancel(self, job_id: str) -> bool:
        """End a job that has not ended; a running attempt can no longer renew its lease."""
        unended = sa.update(jobs_table).where(jobs_table.c.id == job_id, IS_QUEUED | _IS_RUNNING)
        return self._write(unended.values(state=JobStatus.CANCELLED, **_END))

    def lose(self, job_id: str, attempt: int, error: dict[str, Any]) -> bool:
        """End an attempt that did not fail by itself; see `requeue`."""
        return self._write(count_loss(self._running(job_id, attempt), error))

    def leases(self) -> dict[str, datetime]:
        """Return until when the latest lease of each consumer with running jobs lasts.

        A consumer is named by what its workers' names have in front of the last colon.
        """
        query = sa.select(jobs_table.c.worker, sa.func.max(jobs_table.c.lease_until))
        query = query.where(_IS_RUNNING).group_by(jobs_table.c.worker)
        found: dict[str, datetime] = {}
        with connect(self.engine) as connection:
            for worker, lease in connection.execute(query):
                consumer = worker.rpartition(":")[0]
                found[consumer] = max(lease, found.get(consumer, lease))
        return found

    def requeue_lost(self, consumer: str, lease: datetime) -> int:
        """Requeue or end the jobs of a lost consumer; return how many there were.

        A job whose lease lasts longer than `lease` was renewed since, and stays.
        """
        mine = jobs_table.c.worker.startswith(f"{consumer}:", autoescape=True)
        return self._lose_all(mine, jobs_table.c.lease_until <= lease)

    def requeue_expired_leases(self) -> int:
        """Requeue or end every job whose lease has expired; return how many there were."""
        return self._lose_all(jobs_table.c.lease_until < database_now())

    def _lose_all(self, *which: sa.ColumnElement[bool]) -> int:
        with connect(self.engine) as connection:
            return connection.execute(count_loss([_IS_RUNNING, *which], CONSUMER_LOST)).rowcount

    @staticmethod
    def _running(job_id: str, attempt: int) -> list[sa.ColumnElement[bool]]:
        return [jobs_table.c.id == job_id, _IS_RUNNING, jobs_table.c.attempt == attempt]

    def _from(self, job_id: str, attempt: int, **values: Any) -> bool:
        """Change the row if this attempt still holds the job."""
        running = self._running(job_id, attempt)
        return self._write(sa.update(jobs_table).where(*running).values(**values))

    def _write(self, statement: sa.Update) -> bool:
        with connect(self.engine) as connection:
            return connection.execute(statement).rowcount == 1


def open_store(settings: Settings) -> JobStore:
    """Return the store of the database that the settings name."""
    url = settings.database_url.get_secret_value()
    return JobStore(url, settings.lease_seconds, settings.max_attempts, settings.caller_max_running)
