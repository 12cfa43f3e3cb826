"""How many jobs a caller, and all callers together, may have in the job table."""

from dataclasses import dataclass

from app import errors
from app.settings.limits import LimitSettings


@dataclass(frozen=True)
class JobQuotas:
    """The most of each; None is no bound. A job without a caller has only the bound of all."""

    queued: int | None = None  # jobs of a caller that wait
    queued_bytes: int | None = None  # the sizes of these
    stored: int | None = None  # jobs of a caller, with those that have ended
    stored_bytes: int | None = None  # the sizes of these
    all_queued: int | None = None  # jobs of all callers that wait


@dataclass
class JobCount:
    """What there is, of one caller or of all."""

    queued: int = 0
    queued_bytes: int = 0
    stored: int = 0
    stored_bytes: int = 0

    def add(self, jobs: int, size: int) -> None:
        """Count jobs that wait, and their size."""
        self.queued += jobs
        self.queued_bytes += size
        self.stored += jobs
        self.stored_bytes += size


def quotas_of(settings: LimitSettings) -> JobQuotas:
    """Return the quotas that the settings name."""
    return JobQuotas(
        queued=settings.caller_max_queued,
        queued_bytes=settings.caller_max_queued_bytes,
        stored=settings.caller_max_stored,
        stored_bytes=settings.caller_max_stored_bytes,
        all_queued=settings.max_queued,
    )


def check_caller(quotas: JobQuotas, caller: str, mine: JobCount, size: int) -> None:
    """Raise `errors.QuotaExceeded` if one more job of `size` bytes is too much for its caller."""
    later, smaller = "wait for them, or cancel some", "they are deleted after a while"
    for most, asked, what, remedy in (
        (quotas.queued, mine.queued + 1, "{} jobs are queued", later),
        (quotas.queued_bytes, mine.queued_bytes + size, "jobs of {} bytes are queued", later),
        (quotas.stored, mine.stored + 1, "{} jobs are stored", smaller),
        (quotas.stored_bytes, mine.stored_bytes + size, "jobs of {} bytes are stored", smaller),
    ):
        if most is not None and asked > most:
            has = what.format(f"{most:,}")
            raise errors.QuotaExceeded(f"{has} for {caller} at the most; {remedy}", limit=most)


def check_all(quotas: JobQuotas, everyone: JobCount) -> None:
    """Raise `errors.Overloaded` if one more job is too much for all callers together."""
    most = quotas.all_queued
    if most is not None and everyone.queued >= most:
        raise errors.Overloaded(f"{most:,} jobs are queued, which is the most; ask again later")
