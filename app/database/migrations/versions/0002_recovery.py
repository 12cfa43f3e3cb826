"""What a job needs to outlive those who work on it: leases, the outbox, retries."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

TIMES = ("published_at", "run_after", "lease_until")


def upgrade() -> None:
    """Add the columns; what was queued or running before is published again."""
    with op.batch_alter_table("jobs") as jobs:
        for name in ("failures", "version"):
            jobs.add_column(sa.Column(name, sa.Integer, nullable=False, server_default="0"))
        jobs.add_column(sa.Column("progress", sa.Float))
        jobs.add_column(sa.Column("idempotency_key", sa.String(255)))
        jobs.add_column(sa.Column("reply_to", sa.String(255)))
        jobs.add_column(sa.Column("correlation_id", sa.String(255)))
        for name in TIMES:
            jobs.add_column(sa.Column(name, sa.DateTime(timezone=True)))
        jobs.create_unique_constraint("uq_jobs_idempotency_key", ["idempotency_key"])
        jobs.create_index("ix_jobs_state_published", ["state", "published_at"])
    op.execute("UPDATE jobs SET lease_until = created_at WHERE state = 'TASK_RUNNING'")


def downgrade() -> None:
    """Drop them."""
    with op.batch_alter_table("jobs") as jobs:
        jobs.drop_index("ix_jobs_state_published")
        jobs.drop_constraint("uq_jobs_idempotency_key", type_="unique")
        for name in (
            *("failures", "version", "progress", "idempotency_key", "reply_to", "correlation_id"),
            *TIMES,
        ):
            jobs.drop_column(name)
