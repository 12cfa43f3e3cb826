"""Shadows of names, and how their answers compare."""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"


def upgrade() -> None:
    """Create the tables; no name has a shadow yet."""
    op.create_table(
        "shadows",
        sa.Column("name", sa.String(128), primary_key=True),
        sa.Column("alias", sa.String(64), nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("share", sa.Float, nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
    )
    op.create_table(
        "shadow_counts",
        sa.Column("name", sa.String(128), primary_key=True),
        sa.Column("base_version", sa.Integer, primary_key=True),
        sa.Column("version", sa.Integer, primary_key=True),
        sa.Column("calls", sa.BigInteger, nullable=False),
        sa.Column("rows", sa.BigInteger, nullable=False),
        sa.Column("disagreed", sa.BigInteger, nullable=False),
        sa.Column("numbers", sa.BigInteger, nullable=False),
        sa.Column("difference_sum", sa.Float, nullable=False),
        sa.Column("difference_max", sa.Float, nullable=False),
        sa.Column("failed", sa.BigInteger, nullable=False),
        sa.Column("dropped", sa.BigInteger, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
    )


def downgrade() -> None:
    """Drop them."""
    for table in ("shadow_counts", "shadows"):
        op.drop_table(table)
