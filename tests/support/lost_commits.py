"""A database whose answers to commits are lost."""

from collections.abc import Iterator
from contextlib import contextmanager

import sqlalchemy as sa
from sqlalchemy.exc import OperationalError


@contextmanager
def lost_commits(engine: sa.Engine, *, after: bool) -> Iterator[list[bool]]:
    """Lose the connection `after` each commit of the block, or before; yield an item for each."""
    seen: list[bool] = []

    def lose(connection: sa.Connection) -> None:
        seen.append(after)
        if after:
            connection.connection.commit()
        connection.invalidate()
        raise OperationalError("COMMIT", None, ConnectionError("the connection was lost"))

    sa.event.listen(engine, "commit", lose)
    try:
        yield seen
    finally:
        sa.event.remove(engine, "commit", lose)
