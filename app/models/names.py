"""Names of models: their descriptions, tags, and how calls of them are split."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from app import errors
from app.auth.actor import Actor
from app.auth.audit import Action, Thing, entry
from app.auth.grants import Kind, delete_grants
from app.auth.names import owner_of, shown
from app.database.engine import connect, transaction
from app.database.name_tables import names_table
from app.database.paging import SORTED_BY, Page, has_tag, select_page
from app.database.tables import jobs_table
from app.jobs.model_names import is_name
from app.jobs.search import has_name as job_has_name
from app.jobs.transitions import UNENDED
from app.models.versions import changing_name, require_name, require_version
from app.protocol.tags import tags_column, tags_of

SORTS = ("created_at", "name")
Split = dict[str, float] | None  # weights by version
SplitCheck = Callable[[Split], None]  # gets the present split; may raise
_column = names_table.c


@dataclass(frozen=True)
class Name:
    """A name. `last_version` is the number of its newest version, 0 before the first one.

    `split` are the weights by version, None if all calls go to the newest one.
    """

    name: str
    last_version: int
    description: str | None
    tags: list[str]
    split: Split
    created_at: datetime


def list_names(
    engine: sa.Engine, owner: str, page: Page, tag: str | None = None
) -> tuple[list[Name], str | None]:
    """Return names of an owner, and the cursor of the next page or None.

    Raises `errors.Invalid` for the cursor.
    """
    query = sa.select(names_table).where(_column.owner == owner)
    if tag is not None:
        query = query.where(has_tag(_column.tags, tag))
    query = select_page(query, _column[page.by], _column.name, page)
    with connect(engine) as connection:
        rows = connection.execute(query).all()
    shown = rows[: page.limit]
    found = [_name(row) for row in shown]
    if len(rows) == len(shown):
        return found, None
    return found, page.following(shown[-1]._mapping[SORTED_BY], shown[-1].name)


def read_name(engine: sa.Engine, name: str) -> Name:
    """Return a name. Raises `errors.NotFound`."""
    with connect(engine) as connection:
        return _name(require_name(connection, name))


def has_name(engine: sa.Engine, name: str) -> bool:
    """Tell whether a name is there. Raises `errors.DatabaseUnavailable`."""
    with connect(engine) as connection:
        return bool(connection.scalar(sa.select(is_name(name))))


def describe_name(
    engine: sa.Engine, name: str, description: str | None, tags: Sequence[str], by: Actor
) -> None:
    """Replace the description and the tags of a name. Raises `errors.NotFound`."""
    values = {"description": description, "tags": tags_column(tags)}
    with transaction(engine) as connection:
        connection.execute(sa.update(names_table).where(_column.name == name).values(values))
        require_name(connection, name)
        connection.execute(entry(by, Action.DESCRIBE, Thing.NAME, name))


def delete_name(engine: sa.Engine, name: str, by: Actor) -> None:
    """Delete a name that has never had a version, and its grants; do nothing if there is none.

    Raises `errors.Conflict` for a name with versions, whose numbers and history stay, and while a
    training may still give it one.
    """
    owner = owner_of(name)
    trains = sa.exists().where(jobs_table.c.owner == owner, job_has_name(owner, name), UNENDED)
    unused = sa.delete(names_table).where(_column.name == name, _column.last_version == 0, ~trains)
    with transaction(engine, lock=name) as connection:
        if connection.execute(unused).rowcount:
            connection.execute(delete_grants(Kind.MODEL, name))
            connection.execute(entry(by, Action.DELETE, Thing.NAME, name))
            return
        last = connection.scalar(sa.select(_column.last_version).where(_column.name == name))
    if last is None:
        return
    own = shown(owner, name)
    if last == 0:
        detail = f"a training that has not ended has the name {own}; cancel it, or wait"
    else:
        versions = "a version, whose number" if last == 1 else f"{last} versions, whose numbers"
        detail = f"{own} has had {versions} and history stay; delete the models, such as {own}:1"
    raise errors.Conflict("name", detail)


def write_split(
    engine: sa.Engine,
    name: str,
    weights: Mapping[int, float] | None,
    by: Actor,
    check: SplitCheck | None = None,
) -> None:
    """Split the calls of a name by weights of its versions, or end the split.

    `check` may refuse the change. Raises `errors.NotFound`, `errors.Gone` for a version that was
    deleted, and what `check` raises.
    """
    split = None if weights is None else {str(n): weight for n, weight in weights.items()}
    with changing_name(engine, name) as (connection, now):
        if check is not None:
            check(now.split)
        for number in weights or ():
            require_version(connection, name, number)
        connection.execute(sa.update(names_table).where(_column.name == name).values(split=split))
        said = "no split" if split is None else f"split {split}"
        connection.execute(entry(by, Action.DESCRIBE, Thing.NAME, name, said))


def _name(row: Any) -> Name:
    return Name(
        name=row.name,
        last_version=row.last_version,
        description=row.description,
        tags=tags_of(row.tags),
        split=row.split,
        created_at=row.created_at,
    )
