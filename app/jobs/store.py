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

from app.auth.actor import SYSTEM, Actor
from app.auth.audit import Action, Thing, creator, entry
from app.auth.names import owner_of, qualified
from app.database.engine import connect, database_now, transaction
from app.database.existing import only_existing
from app.database.json_members import json_text
from app.database.tables import jobs_table
from app.jobs.acceptance import JobAcceptance
from app.jobs.attempt_end import STOPPED, AttemptOutcome, error_reason
from app.jobs.attempt_rows import begin_attempt, end_attempts
from app.jobs.attempt_statements import cancel_attempts_of, end_attempt
from app.jobs.model_names import add_version, version_text
from app.jobs.model_publication import insert_trained_models
from app.jobs.parts import HELD_BY_PARTS, cancel_parts_of
from app.jobs.reader import IS_QUEUED
from app.jobs.requeue import CONSUMER_LOST, count_failure, count_loss
from app.jobs.transitions import END, IS_RUNNING, NEW_VERSION, UNENDED, held_by
from app.protocol.types import JobStatus
from app.settings import Settings


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
        mine = IS_RUNNING & (jobs_table.c.worker == worker)
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
                **NEW_VERSION,
            )
        )
        return begin_attempt(self.engine, update)

    def renew(self, held: Mapping[tuple[str, int], float | None]) -> set[tuple[str, int]]:
        """Renew the leases of attempts, by (job_id, attempt); return those that hold their job.

        The values are the progress to write, a fraction, or None if it has not changed. A batch job
        that its parts hold keeps its longer lease.
        """
        columns = jobs_table.c
        this = {key: sa.and_(columns.id == key[0], columns.attempt == key[1]) for key in held}
        progress = [(this[key], value) for key, value in held.items() if value is not None]
        by_parts = (columns.worker == HELD_BY_PARTS, columns.lease_until)
        lease = sa.case(by_parts, else_=database_now(self._lease))
        values: dict[str, Any] = {"lease_until": lease}
        if progress:
            values["progress"] = sa.case(*progress, else_=columns.progress)
            changed = sa.or_(*(which for which, _ in progress))
            values["version"] = columns.version + sa.case((changed, 1), else_=0)
        update = (
            sa.update(jobs_table)
            .where(sa.tuple_(columns.id, columns.attempt).in_(list(held)), IS_RUNNING)
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

        A model that was asked for under a name becomes the next version of it. Return True also if
        this result was published before.
        """
        stored = {"result_key": key, "result_sha256": sha256}
        result = {**stored, "metrics": metrics, "fit_summary": fit_summary}
        ended = {"state": JobStatus.COMPLETED, "error": None, "progress": 1.0, **result, **END}
        name = json_text(jobs_table.c.request, "name")
        update = sa.update(jobs_table).where(*held_by(job_id, attempt)).values(**ended)
        with transaction(self.engine) as connection:
            if row := connection.execute(update.returning(name.label("name"))).first():
                connection.execute(end_attempt(job_id, attempt, AttemptOutcome.COMPLETED))
                connection.execute(insert_trained_models(jobs_table.c.id == job_id))
                version = None
                if row.name is not None:
                    full = qualified(owner_of(job_id), row.name)
                    version = version_text(full, add_version(connection, full, job_id))
                by = creator(connection, Thing.JOB, job_id)
                connection.execute(entry(by, Action.PUBLISH, Thing.MODEL, job_id, version))
                return True
        job = self.get(job_id)  # a caller that lost the answer to a commit repeats it
        return job is not None and (job.attempt, job.result_key) == (attempt, key)

    def complete_prediction(self, job_id: str, attempt: int, result: dict[str, Any]) -> bool:
        """Publish the answer of a prediction job; return True also if it was published before."""
        ended = {"state": JobStatus.COMPLETED, "error": None, "progress": 1.0, **END}
        ended["size"] += len(json.dumps(result))
        update = sa.update(jobs_table).where(*held_by(job_id, attempt))
        if self._end(update.values(result=result, **ended), AttemptOutcome.COMPLETED):
            return True
        job = self.get(job_id)
        return job is not None and (job.attempt, job.state) == (attempt, JobStatus.COMPLETED)

    def fail(self, job_id: str, attempt: int, error: dict[str, Any]) -> bool:
        """End an attempt, and the job, with an error that would occur again."""
        update = sa.update(jobs_table).where(*held_by(job_id, attempt))
        ended = update.values(state=JobStatus.ERROR, error=error, **END)
        return self._end(ended, AttemptOutcome.FAILED, error_reason(error))

    def retry(self, job_id: str, attempt: int, error: dict[str, Any], delay: float) -> bool:
        """End an attempt with a temporary error; the next one may begin in `delay` seconds.

        Ends the job when this was the last attempt.
        """
        update = count_failure(held_by(job_id, attempt), error, delay, self._max_attempts)
        return self._end(update, AttemptOutcome.FAILED, error_reason(error))

    def refuse(self, job_id: str, error: dict[str, Any], delay: float) -> bool:
        """Count a failure for a queued job whose message a consumer could not read.

        A newer consumer may be able to. Ends the job when this was the last attempt.
        """
        return self._write(
            count_failure([jobs_table.c.id == job_id, IS_QUEUED], error, delay, self._max_attempts)
        )

    def pin_dataset(self, job_id: str, attempt: int, version: str) -> bool:
        """Write which version of its data set a training that names none learns from."""
        return self._from(job_id, attempt, dataset_version=version, **NEW_VERSION)

    def release(self, job_id: str, attempt: int, why: str = STOPPED) -> bool:
        """End an attempt that did not fail; its message goes back to the queue."""
        values = {"worker": None, "progress": None, "published_at": database_now(), **NEW_VERSION}
        update = sa.update(jobs_table).where(*held_by(job_id, attempt))
        queued = update.values(state=JobStatus.QUEUED, **values)
        return self._end(queued, AttemptOutcome.RELEASED, why)

    def give_way(self, job_id: str, delay: float) -> bool:
        """Put a queued job back for `delay` seconds; its message is published again."""
        queued = sa.update(jobs_table).where(jobs_table.c.id == job_id, IS_QUEUED)
        return self._write(queued.values(published_at=None, run_after=database_now(delay)))

    def cancel(self, job_id: str, by: Actor = SYSTEM) -> bool:
        """End a job that has not ended, and its parts; running attempts can renew no lease then."""
        own = (jobs_table.c.id == job_id, jobs_table.c.parent.is_(None), UNENDED)
        update = sa.update(jobs_table).where(*own).values(state=JobStatus.CANCELLED, **END)
        with transaction(self.engine, lock=job_id) as connection:
            if connection.execute(update).rowcount != 1:
                return False
            connection.execute(cancel_parts_of(job_id))
            connection.execute(cancel_attempts_of(job_id))
            connection.execute(entry(by, Action.CANCEL, Thing.JOB, job_id))
        return True

    def lose(self, job_id: str, attempt: int, error: dict[str, Any]) -> bool:
        """End an attempt that did not fail by itself; see `requeue`."""
        update = count_loss(held_by(job_id, attempt), error)
        return self._end(update, AttemptOutcome.INTERRUPTED, error_reason(error))

    def requeue_lost(self, consumer: str, lease: datetime) -> int:
        """Requeue or end the jobs of a lost consumer; return how many there were.

        A job whose lease lasts longer than `lease` was renewed since, and stays.
        """
        mine = jobs_table.c.worker.startswith(f"{consumer}:", autoescape=True)
        unrenewed = jobs_table.c.lease_until <= lease
        return self._lose_all(AttemptOutcome.CONSUMER_LOST, mine, unrenewed)

    def requeue_expired_leases(self) -> int:
        """Requeue or end every job whose lease has expired; return how many there were."""
        expired = jobs_table.c.lease_until < database_now()
        return self._lose_all(AttemptOutcome.LEASE_EXPIRED, expired)

    def _lose_all(self, how: AttemptOutcome, *which: sa.ColumnElement[bool]) -> int:
        update = count_loss([IS_RUNNING, *which], CONSUMER_LOST)
        return end_attempts(self.engine, update, how)

    def _end(self, change: sa.Update, how: AttemptOutcome, why: str | None = None) -> bool:
        """Change the row of a job if its attempt still holds it, and end that attempt."""
        return end_attempts(self.engine, change, how, why) == 1

    def _from(self, job_id: str, attempt: int, **values: Any) -> bool:
        """Change the row if this attempt still holds the job."""
        held = held_by(job_id, attempt)
        return self._write(sa.update(jobs_table).where(*held).values(**values))

    def _write(self, statement: sa.Update) -> bool:
        with connect(self.engine) as connection:
            return connection.execute(statement).rowcount == 1


def open_store(settings: Settings) -> JobStore:
    """Return the store of the database that the settings name; it makes none."""
    url = settings.database_address
    store = JobStore(
        url, settings.lease_seconds, settings.max_attempts, settings.caller_max_running
    )
    only_existing(store.engine, settings)
    return store
