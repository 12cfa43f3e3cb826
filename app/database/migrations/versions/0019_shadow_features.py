"""Where the answers of shadows differ, by feature."""

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"


def upgrade() -> None:
    """Add the column; nothing has been counted by feature yet."""
    op.add_column("shadow_counts", sa.Column("features", sa.JSON))


def downgrade() -> None:
    """Drop the column."""
    op.drop_column("shadow_counts", "features")
