"""An API key without its text, which is shown once and not kept."""

from collections.abc import Collection
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Annotated, Any, ClassVar

import sqlalchemy as sa
from pydantic import BaseModel, ConfigDict, Field

from app.auth.identity import DEFAULT_OWNER, Scope
from app.auth.key_limits import Jobs, Rate
from app.database.auth_tables import api_keys_table
from app.protocol.types import Explained, OwnerName

DAY_SECONDS = 86_400
MAX_DAYS = 36_500

KeyName = Annotated[
    str,
    Field(pattern=r"^[^\x00-\x1f\x7f-\x9f\u2028\u2029]{1,100}$"),
    Explained("use 1 to 100 characters on one line"),
]
Days = Annotated[float, Field(gt=0, le=MAX_DAYS)]


class NewKey(BaseModel):
    """A key to make. Unknown keys are errors."""

    EXAMPLE: ClassVar[str] = '{"name": "nightly training", "scopes": ["predict"]}'
    model_config = ConfigDict(extra="forbid", frozen=True)

    name: KeyName = Field(description="What the key is for.", examples=["nightly training"])
    owner: OwnerName = Field(
        DEFAULT_OWNER, description="The team that the key belongs to.", examples=[DEFAULT_OWNER]
    )
    scopes: list[Scope] = Field(
        min_length=1, max_length=100, description="What the key allows.", examples=[["predict"]]
    )
    days: Days | None = Field(
        None, description="In how many days it expires; null is never.", examples=[90]
    )
    max_requests: Rate | None = Field(
        None,
        description="How many requests it may send a second to each producer; null, here and "
        "below, is only what its owner may have.",
        examples=[5],
    )
    max_rows: Rate | None = Field(
        None,
        description="How many rows it may have predicted a second by each producer, counted once "
        "for each model.",
        examples=[1000],
    )
    max_queued: Jobs | None = Field(
        None, description="How many of its jobs may wait.", examples=[20]
    )


@dataclass(frozen=True)
class ApiKey:
    """A row of the keys, without its hash."""

    id: str
    name: str
    owner: str
    scopes: frozenset[Scope]
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None
    rotates: str | None  # the id of the key that this one replaces
    max_requests: float | None  # these three are in `KeyLimits`
    max_rows: float | None
    max_queued: int | None


KEY_COLUMNS = tuple(api_keys_table.c[each.name] for each in fields(ApiKey))


def api_key(row: sa.Row[Any]) -> ApiKey:
    """Return the key of a row of `KEY_COLUMNS`."""
    known: dict[str, Any] = {each.name: row._mapping[each.name] for each in KEY_COLUMNS}
    return ApiKey(**known | {"scopes": read_scopes(known["scopes"])})


def read_scopes(text: str) -> frozenset[Scope]:
    """Return the scopes of a text; one of a newer version allows nothing here."""
    known = set(Scope)
    return frozenset(Scope(each) for each in text.split() if each in known)


def in_order(scopes: Collection[Scope]) -> list[Scope]:
    """Return each of some scopes once, in the order of their declaration."""
    return [each for each in Scope if each in scopes]


def scopes_text(scopes: Collection[Scope]) -> str:
    """Return scopes as the table has them."""
    return " ".join(in_order(scopes))
