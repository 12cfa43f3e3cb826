"""Changes of keys and sessions, which each producer notices by one small query."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager

import sqlalchemy as sa

from app.database.auth_tables import auth_state_table
from app.database.engine import transaction

VERSION = "version"  # the name of the row


@contextmanager
def change(engine: sa.Engine) -> Iterator[sa.Connection]:
    """Open a transaction that changes keys or sessions, and the version with them.

    Changes do not overlap, because they all write the row of the version first.
    """
    column = auth_state_table.c
    update = sa.update(auth_state_table).where(column.name == VERSION)
    with transaction(engine) as connection:
        connection.execute(update.values(value=secrets.token_hex(16)))
        yield connection
