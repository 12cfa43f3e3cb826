"""The attempts of jobs, and the deliveries that consumers hold."""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"


def upgrade() -> None:
    """Create the table, and the column; nothing is known of earlier attempts."""
    op.create_table(
        "attempts",
        sa.Column("job_id", sa.String(128), primary_key=True),
        sa.Column("attempt", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("consumer", sa.String(256), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True)),
        sa.Column("outcome", sa.String(32)),
        sa.Column("reason", sa.Text),
    )
    op.add_column("workers", sa.Column("unacknowledged", sa.JSON))


def downgrade() -> None:
    """Drop them."""
    op.drop_column("workers", "unacknowledged")
    op.drop_table("attempts")
