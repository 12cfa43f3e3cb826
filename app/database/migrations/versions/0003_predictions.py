"""Jobs that predict, and models that were not trained here."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Add the columns; what is no training has no data set."""
    with op.batch_alter_table("jobs") as jobs:
        jobs.alter_column("dataset_id", existing_type=sa.String(128), nullable=True)
        jobs.add_column(sa.Column("result", sa.JSON))
        jobs.add_column(sa.Column("sync", sa.JSON))
        jobs.add_column(sa.Column("inputs", sa.Text))
        jobs.drop_index("ix_jobs_state_published")
        jobs.create_index("ix_jobs_kind_state_published", ["kind", "state", "published_at"])


def downgrade() -> None:
    """Drop them, and the rows that have no data set."""
    op.execute("DELETE FROM jobs WHERE dataset_id IS NULL")
    with op.batch_alter_table("jobs") as jobs:
        jobs.drop_index("ix_jobs_kind_state_published")
        jobs.create_index("ix_jobs_state_published", ["state", "published_at"])
        jobs.drop_column("inputs")
        jobs.drop_column("sync")
        jobs.drop_column("result")
        jobs.alter_column("dataset_id", existing_type=sa.String(128), nullable=False)
