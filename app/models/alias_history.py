"""The history of aliases: what each pointed to, since when and why. Nobody changes it."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

import sqlalchemy as sa

from app import errors
from app.database.engine import connect, read_time
from app.database.name_tables import alias_history_table, aliases_table
from app.database.paging import Page, select_page
from app.models.versions import require_name

AHEAD_SECONDS = 60.0  # by which a client's clock may be ahead
_FIRST = 1_000_000_000

_past = alias_history_table.c
_CHANGES = (
    *(_past.change, _past.kind, _past.changed_at, _past.actor, _past.from_version),
    *(_past.to_version, _past.why, _past.forced, _past.comparison),
)


class ChangeKind(StrEnum):
    """How an alias was changed."""

    SET = "set"
    ROLLBACK = "rollback"
    DELETE = "delete"


@dataclass(frozen=True)
class AliasChange:
    """A change of an alias: who made it, when, from which version to which, and why.

    `from_version` is None if the alias was not there, `to_version` if it was deleted. `comparison`
    is that of the promotion check.
    """

    change: int
    kind: ChangeKind
    changed_at: datetime
    actor: str
    from_version: int | None
    to_version: int | None
    why: str | None
    forced: bool
    comparison: dict[str, Any] | None


def read_history(
    engine: sa.Engine, name: str, alias: str, page: Page
) -> tuple[list[AliasChange], str | None]:
    """Return changes of an alias, also of a deleted one, and the cursor of the next page or None.

    Raises `errors.NotFound` for an alias that never was, and `errors.Invalid` for the cursor.
    """
    query = sa.select(*_CHANGES).where(_past.name == name, _past.alias == alias)
    query = select_page(query, _past.change, _past.alias, page)
    with connect(engine) as connection:
        rows = connection.execute(query).all()
        if not rows:
            require_name(connection, name)
            raise no_alias(name, alias)
    found = [_change(row) for row in rows[: page.limit]]
    return found, None if len(rows) == len(found) else page.following(found[-1].change, alias)


def read_alias_at(engine: sa.Engine, name: str, alias: str, time: datetime) -> AliasChange:
    """Return the change that an alias was in at a time.

    That of a deletion says that the alias pointed to nothing then. Raises `errors.NotFound` if
    there is none, and `errors.Invalid` for a time of which nobody knows yet.
    """
    this = (_past.name == name, _past.alias == alias)
    query = sa.select(*_CHANGES).where(*this, _past.changed_at <= time)
    with connect(engine) as connection:
        if time > read_time(connection, AHEAD_SECONDS):
            raise errors.Invalid("at", f"{time.isoformat()} has not come yet; leave it out for now")
        row = connection.execute(query.order_by(_past.change.desc()).limit(1)).first()
        if row is None:
            require_name(connection, name)
            raise errors.NotFound(
                "at", f"{name}@{alias} pointed to nothing at {time.isoformat()}; it came later"
            )
    return _change(row)


def read_name_history(
    engine: sa.Engine, name: str, page: Page
) -> tuple[list[tuple[str, AliasChange]], str | None]:
    """Return changes of all aliases of a name by their times, each with its alias.

    Also return the cursor of the next page or None. Raises `errors.NotFound` for a name that is not
    there, and `errors.Invalid` for the cursor.
    """
    ordered = sa.cast(_past.change + _FIRST, sa.String)  # texts of the same length
    key = _past.alias + sa.literal(" ") + ordered
    query = sa.select(_past.alias, key.label("key"), *_CHANGES).where(_past.name == name)
    query = select_page(query, _past.changed_at, key, page)
    with connect(engine) as connection:
        rows = connection.execute(query).all()
        if not rows:
            require_name(connection, name)
    found = [(row.alias, _change(row)) for row in rows[: page.limit]]
    if len(rows) == len(found):
        return found, None
    last = rows[len(found) - 1]
    return found, page.following(last.changed_at, last.key)


def read_version_history(
    engine: sa.Engine, name: str, version: int, limit: int
) -> list[tuple[str, AliasChange]]:
    """Return the newest changes that pointed an alias to a version or away, each with its alias."""
    touches = sa.or_(_past.from_version == version, _past.to_version == version)
    query = sa.select(_past.alias, *_CHANGES).where(_past.name == name, touches)
    query = query.order_by(_past.changed_at.desc(), _past.alias, _past.change.desc()).limit(limit)
    with connect(engine) as connection:
        return [(row.alias, _change(row)) for row in connection.execute(query)]


def read_newest_changes(engine: sa.Engine, name: str) -> dict[str, AliasChange]:
    """Return the newest change of each alias of a name that is there."""
    alias = aliases_table.c
    this = (alias.name == _past.name) & (alias.alias == _past.alias)
    joined = alias_history_table.join(aliases_table, this & (alias.change == _past.change))
    query = sa.select(_past.alias, *_CHANGES).select_from(joined).where(_past.name == name)
    with connect(engine) as connection:
        return {row.alias: _change(row) for row in connection.execute(query)}


def no_alias(name: str, alias: str) -> errors.NotFound:
    """Return the error of an alias that is not there."""
    return errors.NotFound("alias", f"{name} has no alias {alias}")


def _change(row: Any) -> AliasChange:
    values = {column.name: getattr(row, column.name) for column in _CHANGES}
    return AliasChange(**{**values, "kind": ChangeKind(row.kind)})
