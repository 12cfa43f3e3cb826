"""The rows of a job and of its model keep the summary of the fit."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Add the columns; they stay null in the rows of before."""
    for table in ("jobs", "models"):
        op.add_column(table, sa.Column("fit_summary", sa.JSON))


def downgrade() -> None:
    """Drop them."""
    for table in ("jobs", "models"):
        with op.batch_alter_table(table) as altered:
            altered.drop_column("fit_summary")
