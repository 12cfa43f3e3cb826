"""Accept jobs: write their rows, within the quotas."""

from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from app import errors
from app.database.engine import connect, database_now, insert_unless, transaction
from app.database.tables import jobs_table, models_table
from app.jobs.quotas import Bound, JobQuotas, bounds
from app.jobs.reader import IS_QUEUED, JobReader
from app.protocol.types import JobKind, JobStatus


class JobAcceptance(JobReader):
    """Accepts jobs."""

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
        bounded = bounds(quotas, caller, size) if quotas else []
        # A model without a job of its id was registered, or its training is not kept any more.
        registered = sa.exists().where(
            models_table.c.model_id == job_id,
            ~sa.exists().where(jobs_table.c.id == models_table.c.model_id),
        )
        insert = insert_unless(
            jobs_table, row, sa.or_(registered, *(~bound.holds for bound in bounded))
        )
        locks = [job_id] * named + [f"caller {caller}"] * bool(bounded and caller)
        while True:
            lend = transaction(self.engine, *locks) if locks else connect(self.engine)
            try:
                with lend as connection:
                    if connection.scalar(insert) is not None:
                        return True
                    if self._is_taken(connection, job_id, more.get("idempotency_key")):
                        return False
                    if connection.scalar(sa.select(registered)):
                        raise errors.Conflict("model_id", f"{job_id} is taken")
                    _raise_exceeded(connection, bounded)
            except IntegrityError:
                return False

    def mark_unpublished(self, *job_ids: str) -> None:
        """Mark these jobs as unpublished, so that the relay publishes their messages again."""
        queued = sa.update(jobs_table).where(jobs_table.c.id.in_(job_ids), IS_QUEUED)
        with connect(self.engine) as connection:
            connection.execute(queued.values(published_at=None))

    @staticmethod
    def _is_taken(connection: sa.Connection, job_id: str, key: str | None) -> bool:
        """Tell whether a job has this id or idempotency key."""
        same = jobs_table.c.id == job_id
        if key is not None:
            same = same | (jobs_table.c.idempotency_key == key)
        return connection.scalar(sa.select(sa.exists().where(same))) is True


def _raise_exceeded(connection: sa.Connection, bounded: list[Bound]) -> None:
    """Raise the error of the first bound that does not hold; one may hold again by now."""
    for bound in bounded:
        if not connection.scalar(sa.select(bound.holds)):
            raise bound.error
