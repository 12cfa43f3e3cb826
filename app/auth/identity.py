"""The identity of a caller: its owner and its scopes."""

from dataclasses import dataclass
from enum import StrEnum

from app.auth.key_limits import KeyLimits

DEFAULT_OWNER = "default"  # has what was made without a key


class Scope(StrEnum):
    """A permission of a key.

    `LONG` is no route's: with it, trainings may take longer than `FIT_DEFAULT_SECONDS`.
    """

    PREDICT = "predict"
    TRAIN = "train"
    LONG = "long"
    DATA = "data"
    MODELS = "models"
    JOBS = "jobs"
    METRICS = "metrics"
    ADMIN = "admin"


ALL_SCOPES = frozenset(Scope)


@dataclass(frozen=True)
class Identity:
    """The owner for whom a request acts, its scopes, and the id of its key.

    `session_id` is that of the login, `limits` are the key's own, or None. A token of an identity
    provider has no key; it has a subject and an end, in seconds since 1970. Without authentication
    everybody is the owner `default`, has all scopes and no key.
    """

    owner: str = DEFAULT_OWNER
    scopes: frozenset[Scope] = ALL_SCOPES
    key_id: str | None = None
    session_id: str | None = None
    subject: str | None = None
    ends_at: float | None = None
    limits: KeyLimits | None = None

    def is_over(self, now: float) -> bool:
        """Tell whether its token has expired; `now` is in seconds since 1970."""
        return self.ends_at is not None and self.ends_at <= now

    @property
    def name(self) -> str | None:
        """What tells this caller from others of its owner: its key or its subject."""
        return self.key_id or self.subject

    @property
    def caller(self) -> str:
        """The owner as limits count it: all its keys and users of the broker together."""
        return f"owner {self.owner}"

    @property
    def key(self) -> str:
        """The key as its own limits count it; its logins count for it."""
        return f"key {self.key_id}"


ANYONE = Identity()
