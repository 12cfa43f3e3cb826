"""The limits of a single key, and the jobs that count for it."""

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"

_LIMITS = {"max_requests": sa.Float, "max_rows": sa.Float, "max_queued": sa.Integer}


def upgrade() -> None:
    """Add the columns and the index; no older key has a limit, and no older job counts for one."""
    for name, kind in _LIMITS.items():
        op.add_column("api_keys", sa.Column(name, kind))
    op.add_column("jobs", sa.Column("key_id", sa.String(32)))
    where = sa.text("key_id IS NOT NULL")
    columns = ["key_id", "state", "size"]
    op.create_index("ix_jobs_key_id", "jobs", columns, sqlite_where=where, postgresql_where=where)


def downgrade() -> None:
    """Drop them; keys go on with the limits of their owners."""
    op.drop_index("ix_jobs_key_id", "jobs")
    op.drop_column("jobs", "key_id")
    for name in _LIMITS:
        op.drop_column("api_keys", name)
