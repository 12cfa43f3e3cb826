"""How many jobs each caller and each key has, counted in the job table once a second at most.

Counting reads an entry of an index for each job. Done with each new job, it took 30 ms at 3,000
jobs that wait. Between two counts a process adds the jobs that it accepts itself. So a caller may
pass its quota by the jobs that other processes accept within a second.
"""

import logging
import threading
from collections.abc import Callable
from time import monotonic
from typing import NamedTuple

import sqlalchemy as sa

from app import errors
from app.database.engine import connect
from app.database.tables import jobs_table
from app.jobs.quotas import JobCount, JobQuotas, check_all, check_caller, check_key
from app.protocol.types import JobKind, JobStatus

log = logging.getLogger(__name__)

COUNT_SECONDS = 1.0
_MANY = 1024  # callers and keys that are remembered
_COUNTED = [kind for kind in JobKind if kind is not JobKind.PART]


class _Whose(NamedTuple):
    """Whose jobs are counted: of a caller, of a key, or without both of all.

    `stored` tells whether those that have ended count, too.
    """

    caller: str | None = None
    key_id: str | None = None
    stored: bool = False


class JobUsage:
    """Counts jobs, and refuses those beyond the quotas. Threads share it."""

    def __init__(self, engine: sa.Engine, clock: Callable[[], float] = monotonic) -> None:
        """Count the jobs of the database of `engine`."""
        self._engine = engine
        self._clock = clock
        self._lock = threading.Lock()
        self._counted: dict[_Whose, tuple[float, JobCount]] = {}

    def take(self, quotas: JobQuotas, caller: str | None, size: int) -> None:
        """Count a new job. Raises `errors.QuotaExceeded` or `Overloaded`, and counts nothing."""
        with self._lock:
            counts = []
            if quotas.all_queued is not None:
                counts.append(everyone := self._count(_Whose()))
                check_all(quotas, everyone)
            if caller is not None:
                stored = (quotas.stored, quotas.stored_bytes) != (None, None)
                counts.append(mine := self._count(_Whose(caller, stored=stored)))
                check_caller(quotas, caller, mine, size)
            if quotas.of_key:
                counts.append(own := self._count(_Whose(key_id=quotas.of_key.key_id)))
                check_key(quotas.of_key, own)
            for each in counts:
                each.add(1, size)

    def give_back(self, quotas: JobQuotas, caller: str | None, size: int) -> None:
        """Forget a job that was counted and not written."""
        key_id = quotas.of_key.key_id if quotas.of_key else None
        with self._lock:
            for whose, (_, count) in self._counted.items():
                if whose.caller in (None, caller) and whose.key_id in (None, key_id):
                    count.add(-1, -size)

    def _count(self, whose: _Whose) -> JobCount:
        """Return what somebody has, or all have, as it was a second ago at most.

        While the database is unavailable, nothing is counted: the INSERT of the job tells so.
        """
        now = self._clock()
        at, count = self._counted.get(whose, (None, JobCount()))
        if at is not None and now - at < COUNT_SECONDS:
            return count
        try:
            count = self._read(whose)
        except errors.Unavailable as error:
            log.warning("the jobs of callers are not counted: %s", error)
        if len(self._counted) >= _MANY:
            self._counted = {
                each: (at, count)
                for each, (at, count) in self._counted.items()
                if now - at < COUNT_SECONDS
            }
        self._counted[whose] = (self._clock(), count)
        return count

    def _read(self, whose: _Whose) -> JobCount:
        column = jobs_table.c
        states = list(JobStatus) if whose.stored else [JobStatus.QUEUED]
        if whose.key_id is not None:
            which = (column.key_id == whose.key_id) & column.state.in_(states)  # no part has a key
        else:  # all kinds and states are named because the index begins with them
            which = column.kind.in_(_COUNTED) & column.state.in_(states)
        if whose.caller is not None:
            which &= column.caller == whose.caller
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
