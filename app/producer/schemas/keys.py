"""Bodies of requests and responses about API keys."""

from datetime import datetime

from pydantic import BaseModel, ConfigDict, Field

from app.auth.identity import Scope

MAX_OVERLAP_HOURS = 8760.0


class Rotation(BaseModel):
    """How to replace a key."""

    model_config = ConfigDict(extra="forbid")

    overlap_hours: float = Field(
        24.0,
        ge=0,
        le=MAX_OVERLAP_HOURS,
        description="For how many hours the old key still works.",
        examples=[24],
    )


class KeyView(BaseModel):
    """What is known of a key. `rotates` is the key that it replaces.

    `max_requests` and `max_rows`, both a second, and `max_queued` are limits of this key alone.
    """

    model_config = ConfigDict(from_attributes=True)

    id: str
    name: str
    owner: str
    scopes: list[Scope]
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None
    rotates: str | None
    max_requests: float | None
    max_rows: float | None
    max_queued: int | None


class KeyMade(KeyView):
    """A new key; `key` is its text, which is shown this once."""

    key: str


class Keys(BaseModel):
    """All keys."""

    keys: list[KeyView]
