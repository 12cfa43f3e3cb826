"""Names of models: reserved when a model is asked for, numbered when it is published.

A name is never the id of a model or of a job, nor the reverse. Transactions that decide about the
same text do not overlap: those that take a name or an id that a client chose hold its lock.
"""

import sqlalchemy as sa

from app import errors
from app.auth.names import owner_of, shown
from app.database.engine import database_now, insert_unless, lock_text
from app.database.name_tables import names_table, versions_table
from app.database.tables import jobs_table, models_table

_column = names_table.c


def is_name(text: str) -> sa.Exists:
    """Return the condition that a name has this text."""
    return sa.exists().where(_column.name == text)


def reserve_name(connection: sa.Connection, name: str) -> None:
    """Insert a name unless it is there, within a transaction. Raises `errors.Conflict` for an id.

    `name` is a qualified name.
    """
    lock_text(connection, name)
    if connection.scalar(sa.select(is_name(name))):
        return
    taken = sa.or_(
        sa.exists().where(models_table.c.model_id == name),
        sa.exists().where(jobs_table.c.id == name),
    )
    row = {
        "name": name,
        "owner": owner_of(name),
        "last_version": 0,
        "created_at": database_now(),
    }
    if connection.scalar(insert_unless(names_table, row, taken)) is None:
        own = shown(owner_of(name), name)
        raise errors.Conflict("name", f"{own} is the id of a model or a job; choose another name")


def add_version(connection: sa.Connection, name: str, model_id: str) -> int:
    """Publish a model as the next version of a name, within a transaction; return its number."""
    count = (
        sa.update(names_table)
        .where(_column.name == name)
        .values(last_version=_column.last_version + 1)
        .returning(_column.last_version)
    )
    number: int | None = connection.scalar(count)
    if number is None:  # it was asked for before there were names, or a way back lost the row
        reserve_name(connection, name)
        number = connection.scalars(count).one()
    row = {"name": name, "version": number, "model_id": model_id, "created_at": database_now()}
    connection.execute(sa.insert(versions_table).values(row))
    return number


def version_text(name: str, version: int) -> str:
    """Return how a version is written: `name:version`."""
    return f"{name}:{version}"
