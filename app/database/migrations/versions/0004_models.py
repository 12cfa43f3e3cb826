"""A table of models, filled from the jobs."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Create the table, fill it, and remove the rows of jobs that were only models."""
    op.create_table(
        "models",
        sa.Column("model_id", sa.String(128), primary_key=True),
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("dataset_id", sa.String(128)),
        sa.Column("spec", sa.JSON, nullable=False),
        sa.Column("file_key", sa.String(1024)),
        sa.Column("file_sha256", sa.String(64)),
        sa.Column("metrics", sa.JSON),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("trained_at", sa.DateTime(timezone=True)),
    )
    op.create_index("ix_models_created_at", "models", ["created_at", "model_id"])
    op.create_index("ix_models_trained_at", "models", ["trained_at"])
    op.create_index("ix_models_dataset_trained_at", "models", ["dataset_id", "trained_at"])
    op.execute(
        "INSERT INTO models (model_id, kind, dataset_id, spec, file_key, file_sha256, metrics,"
        " created_at, trained_at)"
        " SELECT id, 'trained', dataset_id, request, result_key, result_sha256, metrics,"
        " created_at, ended_at"
        " FROM jobs WHERE kind = 'train' AND state = 'TASK_COMPLETED'"
    )
    op.execute(
        "INSERT INTO models (model_id, kind, spec, file_key, file_sha256, created_at)"
        " SELECT id, kind, request, result_key, result_sha256, created_at"
        " FROM jobs WHERE kind IN ('onnx', 'endpoint')"
    )
    op.execute("DELETE FROM jobs WHERE kind IN ('onnx', 'endpoint')")


def downgrade() -> None:
    """Give registered models their rows among the jobs again, and drop the table."""
    op.execute(
        "INSERT INTO jobs (id, kind, state, request, attempt, failures, version, result_key,"
        " result_sha256, created_at, ended_at)"
        " SELECT model_id, kind, 'TASK_COMPLETED', spec, 0, 0, 0, file_key,"
        " file_sha256, created_at, created_at"
        " FROM models WHERE kind IN ('onnx', 'endpoint')"
    )
    op.drop_table("models")
