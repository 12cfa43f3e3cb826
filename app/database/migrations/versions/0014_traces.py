"""The span that asked for a job, so that its trace goes on whoever runs it."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    """Add the column; older jobs have no span."""
    op.add_column("jobs", sa.Column("traceparent", sa.String(64)))


def downgrade() -> None:
    """Drop the column."""
    op.drop_column("jobs", "traceparent")
