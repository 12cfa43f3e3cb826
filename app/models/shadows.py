"""Shadows: a version that gets a share of the calls of an alias once more, to compare answers."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

import sqlalchemy as sa

from app import errors
from app.auth.actor import Actor
from app.auth.audit import Action, Thing, entry
from app.database.engine import connect, database_now
from app.database.name_tables import (
    aliases_table,
    shadow_counts_table,
    shadows_table,
    versions_table,
)
from app.jobs.model_names import version_text
from app.models.alias_history import no_alias
from app.models.versions import changing_name, require_name, require_version

_column, _alias, _version = shadows_table.c, aliases_table.c, versions_table.c
_JOINED = shadows_table.join(
    versions_table, (_version.name == _column.name) & (_version.version == _column.version)
).outerjoin(aliases_table, (_alias.name == _column.name) & (_alias.alias == _column.alias))


class ShadowVersion(NamedTuple):
    """A shadow as calls need it: the version to compare with, its own, its model, the share."""

    base_version: int
    version: int
    model_id: str
    share: float


@dataclass(frozen=True)
class Shadow:
    """The shadow of a name. `base_version` is that of the alias, None if the alias is not there."""

    name: str
    alias: str
    base_version: int | None
    version: int
    model_id: str
    share: float
    changed_at: datetime


@dataclass(frozen=True)
class WantedShadow:
    """What becomes the shadow of a name: a version, and a share from 0 to 1 of an alias's calls."""

    alias: str
    version: int
    share: float


ShadowCheck = Callable[[WantedShadow | None], None]  # gets the present shadow; may raise


def read_shadow(engine: sa.Engine, name: str) -> Shadow:
    """Return the shadow of a name. Raises `errors.NotFound`."""
    shown = (_column.name, _column.alias, _alias.version.label("base_version"), _column.version)
    query = sa.select(*shown, _version.model_id, _column.share, _column.changed_at)
    with connect(engine) as connection:
        row = connection.execute(query.select_from(_JOINED).where(_column.name == name)).first()
        if row is None:
            require_name(connection, name)
            raise errors.NotFound("name", f"{name} has no shadow")
    return Shadow(**row._mapping)


def write_shadow(
    engine: sa.Engine,
    name: str,
    wanted: WantedShadow,
    by: Actor,
    check: ShadowCheck | None = None,
) -> bool:
    """Give a name a shadow in place of the one it has; return False if it has one.

    Counts of the same versions go on. `check` may refuse the change. Raises `errors.NotFound`,
    `errors.Gone` for a version that was deleted, and what `check` raises.
    """
    row = {**vars(wanted), "name": name, "changed_at": database_now()}
    with changing_name(engine, name) as (connection, _):
        if check is not None:
            check(_now(connection, name))
        delete = sa.delete(shadows_table).where(_column.name == name)
        is_new = connection.execute(delete).rowcount == 0
        this = (_alias.name == name, _alias.alias == wanted.alias)
        if connection.execute(sa.select(_alias.version).where(*this)).first() is None:
            raise no_alias(name, wanted.alias)
        require_version(connection, name, wanted.version)
        connection.execute(sa.insert(shadows_table).values(row))
        said = f"shadow of {wanted.alias}: {version_text(name, wanted.version)}, {wanted.share:g}"
        connection.execute(entry(by, Action.DESCRIBE, Thing.NAME, name, said))
    return is_new


def delete_shadow(
    engine: sa.Engine, name: str, by: Actor, check: ShadowCheck | None = None
) -> bool:
    """Delete the shadow of a name and its counts; return False if there was none.

    `check` may refuse it. Raises `errors.NotFound` for a name that is not there, and what `check`
    raises.
    """
    counts = shadow_counts_table
    with changing_name(engine, name) as (connection, _):
        if check is not None:
            check(_now(connection, name))
        deleted = connection.execute(sa.delete(shadows_table).where(_column.name == name)).rowcount
        if not deleted:
            return False
        connection.execute(sa.delete(counts).where(counts.c.name == name))
        connection.execute(entry(by, Action.DESCRIBE, Thing.NAME, name, "no shadow"))
    return True


def _now(connection: sa.Connection, name: str) -> WantedShadow | None:
    query = sa.select(_column.alias, _column.version, _column.share).where(_column.name == name)
    row = connection.execute(query).first()
    return row and WantedShadow(*row)


def find_shadow(connection: sa.Connection, name: str, alias: str | None) -> ShadowVersion | None:
    """Return the shadow of an alias, or without an alias that of the name; None without one.

    While the alias points to the version of the shadow, there is nothing to compare.
    """
    query = sa.select(_alias.version, _column.version, _version.model_id, _column.share)
    query = query.select_from(_JOINED).where(_column.name == name, _alias.version.is_not(None))
    query = query.where(_alias.version != _column.version)
    if alias is not None:
        query = query.where(_column.alias == alias)
    row = connection.execute(query).first()
    return row and ShadowVersion(*row)
