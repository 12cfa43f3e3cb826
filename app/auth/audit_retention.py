"""Delete the rows of the audit log that are too old to be kept.

The triggers let only rows go that are older than the horizon, which this writes first.
"""

import sqlalchemy as sa

from app.auth.api_key import DAY_SECONDS
from app.database.auth_tables import audit_horizon_table, audit_table
from app.database.engine import connect, database_now, read_time, transaction

BATCH = 1000


def delete_old_audit(engine: sa.Engine, days: float, batch: int = BATCH) -> int:
    """Delete the oldest rows of more than `days`, a batch at most; return how many."""
    column = audit_table.c
    with connect(engine) as connection:
        too_old = read_time(connection, -days * DAY_SECONDS)
        old = sa.select(column.id).where(column.created_at < too_old)
        if not (gone := connection.scalars(old.order_by(column.created_at).limit(batch)).all()):
            return 0
    with transaction(engine) as connection:
        horizon = sa.update(audit_horizon_table).values(before=database_now(-days * DAY_SECONDS))
        connection.execute(horizon)
        return connection.execute(sa.delete(audit_table).where(column.id.in_(gone))).rowcount
