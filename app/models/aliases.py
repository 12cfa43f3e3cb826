"""Aliases: words that point to a version of a name, with a history that nobody changes."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from app import errors
from app.auth.actor import Actor
from app.auth.audit import Action, Thing, entry
from app.database.engine import connect, database_now
from app.database.name_tables import alias_history_table, aliases_table, versions_table
from app.jobs.model_names import version_text
from app.models.alias_history import ChangeKind, no_alias
from app.models.versions import changing_name, require_name, require_version

MAX_ALIASES = 100  # of a name

_column = aliases_table.c
_past = alias_history_table.c
_ACTIONS = {
    ChangeKind.SET: Action.PROMOTE,
    ChangeKind.ROLLBACK: Action.ROLL_BACK,
    ChangeKind.DELETE: Action.DELETE,
}


@dataclass(frozen=True)
class Alias:
    """What an alias points to, since when; `change` is the number of its newest change."""

    alias: str
    version: int
    model_id: str
    change: int
    changed_at: datetime


@dataclass(frozen=True)
class Wanted:
    """A change of an alias to a version: why, and the comparison of the promotion check."""

    version: int
    why: str | None = None
    forced: bool = False
    comparison: dict[str, Any] | None = None


Check = Callable[[int | None], None]  # gets the newest change, None without an alias; may raise


def list_aliases(engine: sa.Engine, name: str) -> list[Alias]:
    """Return the aliases of a name. Raises `errors.NotFound` for a name that is not there."""
    with connect(engine) as connection:
        require_name(connection, name)
        rows = connection.execute(_aliases(name).order_by(_column.alias))
        return [Alias(**row._mapping) for row in rows]


def read_alias(engine: sa.Engine, name: str, alias: str) -> Alias:
    """Return what an alias points to. Raises `errors.NotFound`."""
    with connect(engine) as connection:
        row = connection.execute(_aliases(name).where(_column.alias == alias)).first()
        if row is None:
            require_name(connection, name)
            raise no_alias(name, alias)
    return Alias(**row._mapping)


def set_alias(
    engine: sa.Engine, name: str, alias: str, wanted: Wanted, by: Actor, check: Check
) -> Alias:
    """Point an alias to a version, and return the alias; if it did before, nothing changes.

    `check` may refuse the change. Raises `errors.NotFound`, `errors.Gone` for a deleted version,
    `errors.Conflict` beyond `MAX_ALIASES`, and what `check` raises.
    """
    with changing_name(engine, name) as (connection, _):
        now = _now(connection, name, alias)
        check(now and now.change)
        if now and now.version == wanted.version:
            return _read(connection, name, alias)
        require_version(connection, name, wanted.version)
        if now is None:
            count = sa.select(sa.func.count()).where(_column.name == name)
            if (connection.scalar(count) or 0) >= MAX_ALIASES:
                raise errors.Conflict("alias", f"{name} has {MAX_ALIASES} aliases; delete one")
        _write(connection, name, alias, ChangeKind.SET, wanted, by)
        return _read(connection, name, alias)


def roll_back(
    engine: sa.Engine, name: str, alias: str, why: str | None, by: Actor, check: Check
) -> Alias:
    """Point an alias to what it pointed to before, and return the alias.

    A second rollback goes back one more step: to what was there before the version that the first
    one came to, not to the version that it left. Raises `errors.NotFound`, `errors.Conflict` if
    there is nothing before, `errors.Gone` if that version was deleted, and what `check` raises.
    """
    with changing_name(engine, name) as (connection, _):
        now = _now(connection, name, alias)
        if now is None:
            raise no_alias(name, alias)
        check(now.change)
        before = _before(connection, name, alias, now.change)
        wanted = Wanted(before.to_version, why)
        _write(connection, name, alias, ChangeKind.ROLLBACK, wanted, by, before.origin)
        return _read(connection, name, alias)


def version_before(engine: sa.Engine, name: str, alias: str) -> int:
    """Return the version to which `roll_back` would point an alias. Raises what that does."""
    with connect(engine) as connection:
        require_name(connection, name)
        now = _now(connection, name, alias)
        if now is None:
            raise no_alias(name, alias)
        version: int = _before(connection, name, alias, now.change).to_version
        return version


def delete_alias(
    engine: sa.Engine, name: str, alias: str, why: str | None, by: Actor, check: Check
) -> bool:
    """Delete an alias, but not its history; return False if there was none.

    Raises `errors.NotFound` for a name that is not there, and what `check` raises.
    """
    with changing_name(engine, name) as (connection, _):
        now = _now(connection, name, alias)
        check(now and now.change)
        if now is None:
            return False
        _write(connection, name, alias, ChangeKind.DELETE, Wanted(0, why), by)
    return True


def _aliases(name: str) -> sa.Select[Any]:
    joined = aliases_table.join(
        versions_table,
        (versions_table.c.name == _column.name) & (versions_table.c.version == _column.version),
    )
    shown = (_column.alias, _column.version, versions_table.c.model_id, _column.change)
    return sa.select(*shown, _column.changed_at).select_from(joined).where(_column.name == name)


def _read(connection: sa.Connection, name: str, alias: str) -> Alias:
    """Return an alias that is there."""
    row = connection.execute(_aliases(name).where(_column.alias == alias)).one()
    return Alias(**row._mapping)


def _now(connection: sa.Connection, name: str, alias: str) -> Any:
    """Return the row of an alias, or None."""
    this = (_column.name == name, _column.alias == alias)
    return connection.execute(sa.select(aliases_table).where(*this)).first()


def _state(connection: sa.Connection, name: str, alias: str, change: int) -> Any:
    """Return the row of the history with this number, or None."""
    this = (_past.name == name, _past.alias == alias, _past.change == change)
    return connection.execute(sa.select(_past.to_version, _past.origin).where(*this)).first()


def _before(connection: sa.Connection, name: str, alias: str, change: int) -> Any:
    """Return the row of the history to which a rollback goes. Raises as `roll_back` does."""
    newest = _state(connection, name, alias, change)
    before = _state(connection, name, alias, newest.origin - 1)
    if before is None or before.to_version is None:
        detail = f"{name}@{alias} has pointed to nothing before; point it to another version"
        raise errors.Conflict("alias", detail)
    require_version(connection, name, before.to_version)
    return before


def _write(
    connection: sa.Connection,
    name: str,
    alias: str,
    kind: ChangeKind,
    wanted: Wanted,
    by: Actor,
    origin: int | None = None,
) -> None:
    """Write a change: what the alias points to, the history, and the audit log."""
    this, now = (_column.name == name, _column.alias == alias), _now(connection, name, alias)
    newest = sa.select(sa.func.max(_past.change)).where(_past.name == name, _past.alias == alias)
    change = (connection.scalar(newest) or 0) + 1
    time = connection.scalars(sa.select(database_now())).one()
    to = None if kind is ChangeKind.DELETE else wanted.version
    state = {"version": to, "change": change, "changed_at": time}
    if to is None:
        connection.execute(sa.delete(aliases_table).where(*this))
    elif now is None:
        connection.execute(sa.insert(aliases_table).values(name=name, alias=alias, **state))
    else:
        connection.execute(sa.update(aliases_table).where(*this).values(**state))
    row = {
        "name": name,
        "alias": alias,
        "change": change,
        "kind": kind,
        "origin": change if origin is None else origin,
        "changed_at": time,
        "actor": by.name,
        "from_version": now and now.version,
        "to_version": to,
        "why": wanted.why,
        "forced": wanted.forced,
        "comparison": wanted.comparison,
    }
    connection.execute(sa.insert(alias_history_table).values(row))
    detail = None if to is None else version_text(name, to)
    connection.execute(entry(by, _ACTIONS[kind], Thing.ALIAS, f"{name}@{alias}", detail))
