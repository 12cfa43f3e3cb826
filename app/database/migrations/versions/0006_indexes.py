"""Indexes for lists by state and by data set, so that finished jobs do not slow them down."""

from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Create them; the first one replaces an index by state and data set."""
    op.create_index("ix_jobs_state_created_at", "jobs", ["state", "created_at", "id"])
    op.create_index("ix_jobs_dataset_ended_at", "jobs", ["dataset_id", "ended_at"])
    op.create_index(
        "ix_models_dataset_created_at", "models", ["dataset_id", "created_at", "model_id"]
    )
    op.drop_index("ix_jobs_state_dataset", "jobs")


def downgrade() -> None:
    """Drop them."""
    op.create_index("ix_jobs_state_dataset", "jobs", ["state", "dataset_id", "ended_at"])
    op.drop_index("ix_models_dataset_created_at", "models")
    op.drop_index("ix_jobs_dataset_ended_at", "jobs")
    op.drop_index("ix_jobs_state_created_at", "jobs")
