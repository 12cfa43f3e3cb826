"""How many jobs a caller, and all callers together, may have in the job table.

The INSERT of a job checks them. On PostgreSQL, inserts of one caller do not overlap, so a caller
never has more. All callers together may pass their bound by the inserts that overlap.
"""

from dataclasses import dataclass

import sqlalchemy as sa

from app import errors
from app.database.tables import jobs_table
from app.limit_settings import LimitSettings
from app.protocol.types import JobKind, JobStatus

# All kinds and states are named because the index begins with them.
_KINDS = jobs_table.c.kind.in_(list(JobKind))
_QUEUED = _KINDS & (jobs_table.c.state == JobStatus.QUEUED)
_KEPT = _KINDS & jobs_table.c.state.in_(list(JobStatus))


@dataclass(frozen=True)
class JobQuotas:
    """The most of each; None is no bound. A job without a caller has only the bound of all."""

    queued: int | None = None  # jobs of a caller that wait
    queued_bytes: int | None = None  # the sizes of these
    kept: int | None = None  # jobs of a caller, with those that have ended
    kept_bytes: int | None = None  # the sizes of these
    all_queued: int | None = None  # jobs of all callers that wait


def quotas_of(settings: LimitSettings) -> JobQuotas:
    """Return the quotas that the settings name."""
    return JobQuotas(
        queued=settings.caller_max_queued,
        queued_bytes=settings.caller_max_queued_bytes,
        kept=settings.caller_max_stored,
        kept_bytes=settings.caller_max_stored_bytes,
        all_queued=settings.max_queued,
    )


@dataclass(frozen=True)
class Bound:
    """A condition for a new job, and the error when it does not hold."""

    holds: sa.ColumnElement[bool]
    error: errors.WarrenError


def bounds(quotas: JobQuotas, caller: str | None, size: int) -> list[Bound]:
    """Return what must hold for a new job of `size` bytes."""
    found = []
    if (most := quotas.all_queued) is not None:
        busy = errors.Overloaded(f"{most:,} jobs are queued, which is the most; ask again later")
        found.append(Bound(_count(_QUEUED, most) < most, busy))
    if caller is None:
        return found
    mine = jobs_table.c.caller == caller
    if (most := quotas.queued) is not None:
        full = _exceeded(f"{most:,} jobs are queued", "wait for them, or cancel some", most)
        found.append(Bound(_count(_QUEUED & mine, most) < most, full))
    if (most := quotas.queued_bytes) is not None:
        full = _exceeded(
            f"jobs of {most:,} bytes are queued", "wait for them, or cancel some", most
        )
        found.append(Bound(_sizes(_QUEUED & mine) + size <= most, full))
    if (most := quotas.kept) is not None:
        full = _exceeded(f"{most:,} jobs are stored", "they are deleted after a while", most)
        found.append(Bound(_count(_KEPT & mine, most) < most, full))
    if (most := quotas.kept_bytes) is not None:
        full = _exceeded(f"jobs of {most:,} bytes are stored", "send smaller ones", most)
        found.append(Bound(_sizes(_KEPT & mine) + size <= most, full))
    return found


def _count(which: sa.ColumnElement[bool], most: int) -> sa.ScalarSelect[int]:
    """Count rows, up to `most`."""
    found = sa.select(jobs_table.c.id).where(which).limit(most).subquery()
    return sa.select(sa.func.count()).select_from(found).scalar_subquery()


def _sizes(which: sa.ColumnElement[bool]) -> sa.ScalarSelect[int]:
    """Add up the sizes of jobs."""
    total = sa.func.coalesce(sa.func.sum(jobs_table.c.size), 0)
    return sa.select(total).where(which).scalar_subquery()


def _exceeded(what: str, remedy: str, most: int) -> errors.QuotaExceeded:
    return errors.QuotaExceeded(f"{what} for this caller, which is the most; {remedy}", limit=most)
