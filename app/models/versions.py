"""Versions of a name: the models that were published under it, numbered from 1."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from app import errors
from app.auth.actor import Actor
from app.auth.audit import Action, Thing, entry
from app.auth.names import owner_of, shown
from app.database.engine import connect, transaction
from app.database.name_tables import aliases_table, names_table, versions_table
from app.database.paging import SORTED_BY, Page, select_page
from app.database.tables import models_table
from app.jobs.model_names import version_text
from app.protocol.tags import tags_column, tags_of
from app.protocol.types import ModelKind
from app.protocol.wording import did_you_mean

NEWEST_FIRST = "-version"
MAX_COMPARED = 200  # newest names with which one that is not found is compared

_column = versions_table.c
_JOINED = versions_table.join(models_table, models_table.c.model_id == _column.model_id)
_SHOWN = (
    *(_column.name, _column.version, _column.model_id, _column.description, _column.tags),
    *(_column.created_at, models_table.c.kind, models_table.c.metrics, models_table.c.deleted_at),
)


@dataclass(frozen=True)
class Version:
    """A version of a name, a qualified one. `created_at` is when it was published.

    A deleted one keeps its number, and has no metrics any more. `aliases` point to it.
    """

    name: str
    version: int
    model_id: str
    kind: ModelKind
    description: str | None
    tags: list[str]
    metrics: dict[str, float] | None
    created_at: datetime
    deleted_at: datetime | None
    aliases: list[str]

    @property
    def text(self) -> str:
        """Return how the version is written."""
        return version_text(self.name, self.version)


def version_of(engine: sa.Engine, model_id: str) -> Version | None:
    """Return the version that a model is, or None if it has no name."""
    with connect(engine) as connection:
        query = sa.select(*_SHOWN).select_from(_JOINED).where(_column.model_id == model_id)
        return next(iter(_with_aliases(connection, connection.execute(query).all())), None)


def read_version(engine: sa.Engine, name: str, number: int) -> Version:
    """Return a version, also a deleted one. Raises `errors.NotFound`."""
    which = (_column.name == name, _column.version == number)
    with connect(engine) as connection:
        query = sa.select(*_SHOWN).select_from(_JOINED).where(*which)
        found = _with_aliases(connection, connection.execute(query).all())
    if not found:
        raise no_version(name, number)
    return found[0]


def list_versions(engine: sa.Engine, name: str, page: Page) -> tuple[list[Version], str | None]:
    """Return versions of a name, also deleted ones, and the cursor of the next page or None.

    Raises `errors.NotFound` for a name that is not there, and `errors.Invalid` for the cursor.
    """
    query = sa.select(*_SHOWN).select_from(_JOINED).where(_column.name == name)
    query = select_page(query, _column.version, _column.name, page)  # the name is the same
    with connect(engine) as connection:
        rows = connection.execute(query).all()
        if not rows:
            require_name(connection, name)
        shown_rows = rows[: page.limit]
        found = _with_aliases(connection, shown_rows)
    if len(rows) == len(shown_rows):
        return found, None
    return found, page.following(shown_rows[-1]._mapping[SORTED_BY], name)


def describe_version(
    engine: sa.Engine,
    name: str,
    number: int,
    description: str | None,
    tags: Sequence[str],
    by: Actor,
) -> None:
    """Replace the description and the tags of a version. Raises `errors.NotFound`."""
    values = {"description": description, "tags": tags_column(tags)}
    update = sa.update(versions_table).where(_column.name == name, _column.version == number)
    with transaction(engine) as connection:
        if connection.execute(update.values(values)).rowcount == 0:
            raise no_version(name, number)
        text = version_text(name, number)
        connection.execute(entry(by, Action.DESCRIBE, Thing.NAME, name, text))


def require_name(connection: sa.Connection, name: str) -> Any:
    """Return the row of a name. Raises `errors.NotFound`."""
    row = connection.execute(sa.select(names_table).where(names_table.c.name == name)).first()
    if row is None:
        raise no_name(connection, name)
    return row


@contextmanager
def changing_name(engine: sa.Engine, name: str) -> Iterator[tuple[sa.Connection, Any]]:
    """Begin a transaction that no other change of this name overlaps, because it holds its row.

    Yield the connection and the row. Raises `errors.NotFound`.
    """
    hold = sa.update(names_table).where(names_table.c.name == name)
    with transaction(engine) as connection:
        connection.execute(hold.values(last_version=names_table.c.last_version))
        yield connection, require_name(connection, name)


def no_name(connection: sa.Connection, name: str, field: str = "name") -> errors.NotFound:
    """Return the error of a name that is not there, with the nearest one of its owner."""
    owner, column = owner_of(name), names_table.c
    newest = sa.select(column.name).where(column.owner == owner)
    newest = newest.order_by(column.created_at.desc(), column.name.desc()).limit(MAX_COMPARED)
    known = [shown(owner, each) for each in connection.scalars(newest)]
    meant = did_you_mean(shown(owner, name), known)
    return errors.NotFound(field, f"there is no name {shown(owner, name)}{meant}")


def require_version(connection: sa.Connection, name: str, number: int) -> None:
    """Raise an error if a version is not there; hold its model, so that nobody deletes it now."""
    numbers = versions_table.c
    this = sa.select(numbers.model_id).where(numbers.name == name, numbers.version == number)
    model = models_table.c
    query = sa.select(model.deleted_at).where(model.model_id == this.scalar_subquery())
    row = connection.execute(query.with_for_update()).first()
    if row is None:
        raise no_version(name, number)
    if row.deleted_at:
        raise errors.Gone("version", f"{version_text(name, number)} was deleted; choose another")


def require_versions(engine: sa.Engine, name: str, numbers: Iterable[int]) -> None:
    """Raise `errors.NotFound` or `errors.Gone` unless a name has all these versions."""
    with connect(engine) as connection:
        require_name(connection, name)
        for number in numbers:
            require_version(connection, name, number)


def no_version(name: str, number: int) -> errors.NotFound:
    """Return the error of a version that is not there."""
    return errors.NotFound("version", f"{name} has no version {number}")


def _with_aliases(connection: sa.Connection, rows: Sequence[Any]) -> list[Version]:
    """Return the versions of rows, which are of one name."""
    if not rows:
        return []
    alias = aliases_table.c
    query = sa.select(alias.version, alias.alias).where(alias.name == rows[0].name)
    numbers = {row.version for row in rows}
    query = query.where(alias.version.in_(numbers)).order_by(alias.alias)
    pointing: dict[int, list[str]] = {number: [] for number in numbers}
    for each in connection.execute(query):
        pointing[each.version].append(each.alias)
    return [
        Version(
            name=row.name,
            version=row.version,
            model_id=row.model_id,
            kind=ModelKind(row.kind),
            description=row.description,
            tags=tags_of(row.tags),
            metrics=row.metrics,
            created_at=row.created_at,
            deleted_at=row.deleted_at,
            aliases=pointing[row.version],
        )
        for row in rows
    ]
