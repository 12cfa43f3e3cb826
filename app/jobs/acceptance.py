"""Accept jobs: write their rows, within the quotas."""

from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from app import errors
from app.database.engine import connect, database_now, insert_unless, transaction
from app.database.tables import jobs_table, models_table
from app.jobs.quotas import JobQuotas
from app.jobs.reader import IS_QUEUED, JobReader
from app.jobs.usage import JobUsage
from app.protocol.types import JobKind, JobStatus


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
        caller: str | None = None,
        size: int = 0,
        quotas: JobQuotas | None = None,
        **more: Any,
    ) -> bool:
        """Write a queued job; return False if its id or its `idempotency_key` is taken.

        The caller publishes the message, or calls `mark_unpublished` if that failed. If `named`, a
        client chose the id, and this insert and the registration of a model with that id do not
        overlap. `caller` is who asked, `size` the bytes of the request and the inputs; the
        `quotas` are checked with them. `more` may hold `idempotency_key`, `reply_to`,
        `correlation_id`, `inputs` and `sync`. Raises `errors.Conflict` when a model without a job
        has the id; `QuotaExceeded` or `Overloaded`.
        """
        asked = {"id": job_id, "kind": kind, "dataset_id": dataset_id, "request": request, **more}
        row = {
            **asked,
            "caller": caller,
            "size": size,
            "state": JobStatus.QUEUED,
            "created_at": database_now(),
            "published_at": database_now(),
        }
        # A model without a job of its id was registered, or its training is not kept any more.
        registered = sa.exists().where(
            models_table.c.model_id == job_id,
            ~sa.exists().where(jobs_table.c.id == models_table.c.model_id),
        )
        insert = insert_unless(jobs_table, row, registered)
        key = more.get("idempotency_key")
        if quotas and not self._is_within(quotas, caller, size, job_id, key):
            return False
        created = False
        try:
            lend = transaction(self.engine, lock=job_id) if named else connect(self.engine)
            with lend as connection:
                created = connection.scalar(insert) is not None
                if not created:
                    raise errors.Conflict("model_id", f"{job_id} is taken")
        except IntegrityError:
            return False
        finally:
            if quotas and not created:
                self._usage.give_back(caller, size)
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
