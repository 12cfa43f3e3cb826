"""How many jobs a caller, one of its keys, and all callers together may have in the job table."""

from dataclasses import dataclass, replace

from app import errors
from app.auth.identity import Identity
from app.settings.limits import LimitSettings


@dataclass(frozen=True)
class KeyQuota:
    """How many jobs of a key may wait."""

    key_id: str
    queued: int


@dataclass(frozen=True)
class JobQuotas:
    """The most of each; None is no bound. A job without a caller has only the bound of all."""

    queued: int | None = None  # jobs of a caller that wait
    queued_bytes: int | None = None  # the sizes of these
    stored: int | None = None  # jobs of a caller, with those that have ended
    stored_bytes: int | None = None  # the sizes of these
    all_queued: int | None = None  # jobs of all callers that wait
    of_key: KeyQuota | None = None  # of the key that asks, if it has one


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


def quotas_for(identity: Identity, quotas: JobQuotas) -> JobQuotas:
    """Return the quotas of a job for which somebody asks over HTTP: theirs, and those of the key.

    A token of an identity provider has no key, and so no quota of its own.
    """
    limits, key_id = identity.limits, identity.key_id
    if limits is None or limits.max_queued is None or key_id is None:
        return quotas
    return replace(quotas, of_key=KeyQuota(key_id, limits.max_queued))


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


def check_key(quota: KeyQuota, own: JobCount) -> None:
    """Raise `errors.QuotaExceeded` if one more job is too much for its key."""
    if own.queued >= quota.queued:
        raise errors.QuotaExceeded(
            f"{quota.queued:,} jobs are queued for key {quota.key_id} at the most; wait for them, "
            "or cancel some",
            limit=quota.queued,
        )


def check_all(quotas: JobQuotas, everyone: JobCount) -> None:
    """Raise `errors.Overloaded` if one more job is too much for all callers together."""
    most = quotas.all_queued
    if most is not None and everyone.queued >= most:
        raise errors.Overloaded(f"{most:,} jobs are queued, which is the most; ask again later")
