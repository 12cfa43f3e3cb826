"""The log lines of jobs."""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"


def upgrade() -> None:
    """Create the table, and count the lines in the job's row; older jobs have none."""
    op.create_table(
        "job_lines",
        sa.Column("job_id", sa.String(128), primary_key=True),
        sa.Column("number", sa.Integer, primary_key=True),
        sa.Column("attempt", sa.Integer, nullable=False),
        sa.Column("part", sa.Integer),
        sa.Column("time", sa.DateTime(timezone=True), nullable=False),
        sa.Column("level", sa.String(16), nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("consumer", sa.String(256), nullable=False),
    )
    for name in ("log_lines", "log_attempt"):
        op.add_column("jobs", sa.Column(name, sa.Integer, nullable=False, server_default="0"))


def downgrade() -> None:
    """Drop them."""
    for name in ("log_attempt", "log_lines"):
        op.drop_column("jobs", name)
    op.drop_table("job_lines")
