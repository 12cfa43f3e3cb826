"""Versions of data sets, which jobs and models name; tags; and the ids of deleted models."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Create the table and the columns; jobs and models of before name no version."""
    op.create_table(
        "dataset_versions",
        sa.Column("dataset_id", sa.String(128), primary_key=True),
        sa.Column("version", sa.String(128), primary_key=True),
        sa.Column("file_key", sa.String(1024), nullable=False),
        sa.Column("etag", sa.String(255)),
        sa.Column("size", sa.BigInteger, nullable=False),
        sa.Column("table_format", sa.JSON),
        sa.Column("columns", sa.JSON),
        sa.Column("rows", sa.BigInteger),
        sa.Column("warnings", sa.JSON),
        sa.Column("profile", sa.JSON),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("pinned_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("deleted_at", sa.DateTime(timezone=True)),
    )
    op.create_index("ix_dataset_versions_pinned_at", "dataset_versions", ["pinned_at"])
    op.create_table(
        "loose_files",
        sa.Column("file_key", sa.String(1024), primary_key=True),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
    )
    op.create_index("ix_loose_files_since", "loose_files", ["since"])
    for table in ("jobs", "models"):
        op.add_column(table, sa.Column("dataset_version", sa.String(128)))
        op.add_column(table, sa.Column("tags", sa.Text))
        op.create_index(f"ix_{table}_dataset_version", table, ["dataset_id", "dataset_version"])
    op.add_column("models", sa.Column("deleted_at", sa.DateTime(timezone=True)))
    where = sa.text("deleted_at IS NOT NULL")
    op.create_index(
        "ix_models_deleted_at", "models", ["deleted_at"], sqlite_where=where, postgresql_where=where
    )


def downgrade() -> None:
    """Drop them. The ids of deleted models stay, as those of models without a file."""
    op.drop_index("ix_models_deleted_at", "models")
    with op.batch_alter_table("models") as models:
        models.drop_column("deleted_at")
    for table in ("jobs", "models"):
        op.drop_index(f"ix_{table}_dataset_version", table)
        with op.batch_alter_table(table) as altered:
            altered.drop_column("tags")
            altered.drop_column("dataset_version")
    op.drop_table("loose_files")
    op.drop_table("dataset_versions")
