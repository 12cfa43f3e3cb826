"""Accept jobs: write their rows, within the quotas."""

from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from app import errors
from app.auth.actor import SYSTEM, Actor
from app.auth.audit import Action, Thing, entry
from app.auth.names import owner_of
from app.database.engine import connect, database_now, insert_unless, transaction
from app.database.tables import jobs_table, models_table
from app.jobs.model_names import is_name, reserve_name
from app.jobs.quotas import JobQuotas
from app.jobs.reader import IS_QUEUED, JobReader
from app.jobs.usage import JobUsage
from app.observability import tracing
from app.protocol.types import JobKind, JobStatus

_AUDITED = (JobKind.TRAIN, JobKind.BATCH)  # predictions are too many


class JobAcceptance(JobReader):
    """Accepts jobs."""

    def __init__(self, url: str) -> None:
        """Create an engine without connecting; `url` is an SQLAlchemy URL."""
        super().__init__(url)
        self._usage = JobUsage(self.engine)

    def create(
        self,
        job_id: str,
        kind: JobKind,
        dataset_id: str | None,
        request: dict[str, Any],
        *,
        named: bool = False,
        model_name: str | None = None,
        caller: str | None = None,
        size: int = 0,
        quotas: JobQuotas | None = None,
        by: Actor = SYSTEM,
        **more: Any,
    ) -> bool:
        """Write a queued job; return False if its id or its `idempotency_key` is taken.

        The id is a qualified name, which tells the owner.
        The caller publishes the message, or calls `mark_unpublished` if that failed. If `named`, a
        client chose the id, and this insert and the registration of a model with that id do not
        overlap. `model_name` is the name under which the model will be published, a qualified one;
        it is reserved. `caller` is who asked, `size` the bytes of the request and the inputs; the
        `quotas` are checked with them, and the row names the key that has one. The audit log names
        the actor `by`. `more` may hold `idempotency_key`, `reply_to`, `correlation_id`, `inputs`
        and `sync`. Raises `errors.Conflict` when a model without a job or a name has the id, or an
        id has the name; `QuotaExceeded` or `Overloaded`.
        """
        asked = {"id": job_id, "kind": kind, "dataset_id": dataset_id, "request": request, **more}
        row = {
            **asked,
            "owner": owner_of(job_id),
            "caller": caller,
            "key_id": quotas.of_key.key_id if quotas and quotas.of_key else None,
            "size": size,
            "traceparent": tracing.traceparent(),
            "state": JobStatus.QUEUED,
            "created_at": database_now(),
            "published_at": database_now(),
        }
        # A model without a job of its id was registered, or its training is not kept any more.
        registered = sa.exists().where(
            models_table.c.model_id == job_id,
            ~sa.exists().where(jobs_table.c.id == models_table.c.model_id),
        )
        insert = insert_unless(jobs_table, row, sa.or_(registered, is_name(job_id)))
        key = more.get("idempotency_key")
        if quotas and not self._is_within(quotas, caller, size, job_id, key):
            return False
        created, audited = False, kind in _AUDITED
        try:
            lock = job_id if named else None
            with transaction(self.engine, lock) if audited else connect(self.engine) as connection:
                if connection.scalar(insert) is None:
                    raise errors.Conflict("model_id", f"{job_id} is taken")
                if model_name is not None:
                    reserve_name(connection, model_name)
                if audited:
                    connection.execute(entry(by, Action.CREATE, Thing.JOB, job_id, kind))
            created = True
        except IntegrityError:
            return False
        finally:
            if quotas and not created:
                self._usage.give_back(quotas, caller, size)
        return True

    def mark_unpublished(self, *job_ids: str) -> None:
        """Mark these jobs as unpublished, so that the relay publishes their messages again."""
        queued = sa.update(jobs_table).where(jobs_table.c.id.in_(job_ids), IS_QUEUED)
        with connect(self.engine) as connection:
            connection.execute(queued.values(published_at=None))

    def _is_within(
        self, quotas: JobQuotas, caller: str | None, size: int, job_id: str, key: str | None
    ) -> bool:
        """Count a job against the quotas; return False if it is one that exists.

        Raises `errors.QuotaExceeded` or `Overloaded`.
        """
        try:
            self._usage.take(quotas, caller, size)
        except (errors.QuotaExceeded, errors.Overloaded):
            same = jobs_table.c.id == job_id
            if key is not None:
                same = same | (jobs_table.c.idempotency_key == key)
            with connect(self.engine) as connection:
                if connection.scalar(sa.select(sa.exists().where(same))):
                    return False
            raise
        return True
