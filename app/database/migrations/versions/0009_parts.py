"""Batch jobs, which are split into parts."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    """Add the columns; no older job has parts."""
    op.add_column("jobs", sa.Column("parent", sa.String(128)))
    op.add_column("jobs", sa.Column("part", sa.Integer))
    op.add_column("jobs", sa.Column("parts", sa.Integer))
    op.add_column("jobs", sa.Column("folder", sa.String(1024)))
    for name, columns in {"parent": ["parent", "state"], "folder": ["folder"]}.items():
        where = sa.text(f"{name} IS NOT NULL")
        op.create_index(
            f"ix_jobs_{name}", "jobs", columns, sqlite_where=where, postgresql_where=where
        )


def downgrade() -> None:
    """Drop them, and the batch jobs, which older versions cannot run."""
    op.execute("DELETE FROM jobs WHERE kind IN ('batch', 'part')")
    op.drop_index("ix_jobs_folder", "jobs")
    op.drop_index("ix_jobs_parent", "jobs")
    with op.batch_alter_table("jobs") as jobs:
        for name in ("folder", "parts", "part", "parent"):
            jobs.drop_column(name)
