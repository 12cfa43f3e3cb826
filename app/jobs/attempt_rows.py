"""Change jobs and write the rows of their attempts, both or neither.

PostgreSQL gets both in one statement, because each statement is a round trip.
"""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from app.database.engine import connect, transaction
from app.jobs import attempt_statements as statements
from app.jobs.attempt_end import AttemptOutcome


def begin_attempt(engine: sa.Engine, claim: sa.Update) -> int | None:
    """Claim a job by an UPDATE, and insert the row of its attempt.

    Return the attempt's number; None if no job was claimed. Raises `errors.DatabaseUnavailable`.
    """
    if engine.dialect.name == "postgresql":
        rows = _at_once(engine, claim, statements.POSTGRESQL_BEGIN)
        return rows[0].attempt if rows else None
    with transaction(engine) as connection:
        row = connection.execute(claim.returning(*statements.CHANGED_COLUMNS)).first()
        if row is None:
            return None
        again = row.attempt > 1
        for each in statements.SQLITE_BEGIN_AGAIN if again else statements.SQLITE_BEGIN:
            connection.execute(each, {"ids": [row.id]})
        attempt: int = row.attempt
        return attempt


def end_attempts(
    engine: sa.Engine, change: sa.Update, outcome: AttemptOutcome, reason: str | None = None
) -> int:
    """Change jobs by an UPDATE, and end their attempts.

    Return how many jobs were changed. Raises `errors.DatabaseUnavailable`.
    """
    said = {"how": outcome, "why": reason}
    if engine.dialect.name == "postgresql":
        return len(_at_once(engine, change, statements.POSTGRESQL_END, said))
    with transaction(engine) as connection:
        rows = connection.execute(change.returning(*statements.CHANGED_COLUMNS)).all()
        for each in statements.SQLITE_END if rows else ():
            connection.execute(each, {**said, "ids": [row.id for row in rows]})
        return len(rows)


def _at_once(
    engine: sa.Engine, change: sa.Update, written: Sequence[Any], said: dict[str, Any] | None = None
) -> Sequence[sa.Row[Any]]:
    updated = change.returning(*statements.CHANGED_COLUMNS).cte(statements.changed.name)
    query = sa.select(statements.changed).add_cte(updated, *written)
    with connect(engine) as connection:
        return connection.execute(query, said or {}).all()
