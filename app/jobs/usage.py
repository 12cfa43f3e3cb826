"""How many jobs each caller has, counted in the job table once a second at most.

Counting reads an entry of an index for each job. Done with each new job, it took 30 ms at 3,000
jobs that wait. Between two counts a process adds the jobs that it accepts itself. So a caller may
pass its quota by the jobs that other processes accept within a second.
"""

import logging
import threading
from collections.abc import Callable
from time import monotonic

import sqlalchemy as sa

from app import errors
from app.database.engine import connect
from app.database.tables import jobs_table
from app.jobs.quotas import JobCount, JobQuotas, check_all, check_caller
from app.protocol.types import JobKind, JobStatus

log = logging.getLogger(__name__)

COUNT_SECONDS = 1.0
_MANY = 1024  # callers that are remembered
_COUNTED = [kind for kind in JobKind if kind is not JobKind.PART]

_Key = tuple[str | None, bool]  # the caller, or None for all; whether jobs that ended count, too


class JobUsage:
    """Counts jobs, and refuses those beyond the quotas. Threads share it."""

    def __init__(self, engine: sa.Engine, clock: Callable[[], float] = monotonic) -> None:
        """Count the jobs of the database of `engine`."""
        self._engine = engine
        self._clock = clock
        self._lock = threading.Lock()
        self._counted: dict[_Key, tuple[float, JobCount]] = {}

    def take(self, quotas: JobQuotas, caller: str | None, size: int) -> None:
        """Count a new job. Raises `errors.QuotaExceeded` or `Overloaded`, and counts nothing."""
        with self._lock:
            counts = []
            if quotas.all_queued is not None:
                counts.append(everyone := self._count(None, stored=False))
                check_all(quotas, everyone)
            if caller is not None:
                stored = (quotas.stored, quotas.stored_bytes) != (None, None)
                counts.append(mine := self._count(caller, stored=stored))
                check_caller(quotas, caller, mine, size)
            for each in counts:
                each.add(1, size)

    def give_back(self, caller: str | None, size: int) -> None:
        """Forget a job that was counted and not written."""
        with self._lock:
            for (counted, _), (_, count) in self._counted.items():
                if counted in (None, caller):
                    count.add(-1, -size)

    def _count(self, caller: str | None, *, stored: bool) -> JobCount:
        """Return what a caller has, or all have, as it was a second ago at most.

        While the database is unavailable, nothing is counted: the INSERT of the job tells so.
        """
        now, key = self._clock(), (caller, stored)
        at, count = self._counted.get(key, (None, JobCount()))
        if at is not None and now - at < COUNT_SECONDS:
            return count
        try:
            count = self._read(caller, stored=stored)
        except errors.Unavailable as error:
            log.warning("the jobs of callers are not counted: %s", error)
        if len(self._counted) >= _MANY:
            self._counted = {
                each: (at, count)
                for each, (at, count) in self._counted.items()
                if now - at < COUNT_SECONDS
            }
        self._counted[key] = (self._clock(), count)
        return count

    def _read(self, caller: str | None, *, stored: bool) -> JobCount:
        column = jobs_table.c
        states = list(JobStatus) if stored else [JobStatus.QUEUED]
        # All kinds and states are named because the index begins with them.
        which = column.kind.in_(_COUNTED) & column.state.in_(states)
        if caller is not None:
            which &= column.caller == caller
        sizes = sa.func.coalesce(sa.func.sum(column.size), 0)
        query = sa.select(column.state, sa.func.count(), sizes).where(which)
        count = JobCount()
        with connect(self._engine) as connection:
            for state, jobs, size in connection.execute(query.group_by(column.state)):
                count.stored += jobs
                count.stored_bytes += size
                if state == JobStatus.QUEUED:
                    count.queued, count.queued_bytes = jobs, size
        return count
