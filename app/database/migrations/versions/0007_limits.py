"""Who asked for a job, how large it is, and how many consumers were lost with it."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Add the columns; older rows have no caller and count for no quota."""
    op.add_column("jobs", sa.Column("losses", sa.Integer, nullable=False, server_default="0"))
    op.add_column("jobs", sa.Column("caller", sa.String(255)))
    op.add_column("jobs", sa.Column("size", sa.Integer, nullable=False, server_default="0"))
    op.create_index("ix_jobs_kind_state_caller", "jobs", ["kind", "state", "caller", "size"])
    op.create_index("ix_jobs_ended_at", "jobs", ["ended_at", "size"])


def downgrade() -> None:
    """Drop them."""
    op.drop_index("ix_jobs_ended_at", "jobs")
    op.drop_index("ix_jobs_kind_state_caller", "jobs")
    with op.batch_alter_table("jobs") as jobs:
        for name in ("size", "caller", "losses"):
            jobs.drop_column(name)
