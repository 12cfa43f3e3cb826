"""Owners of jobs and models, and what they let others read."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"

_INDEXES = {
    "jobs": {
        "ix_jobs_owner_created_at": ["owner", "created_at", "id"],
        "ix_jobs_owner_state_created_at": ["owner", "state", "created_at", "id"],
    },
    "models": {
        "ix_models_owner_created_at": ["owner", "created_at", "model_id"],
        "ix_models_owner_trained_at": ["owner", "trained_at"],
        "ix_models_owner_dataset_created_at": ["owner", "dataset_id", "created_at", "model_id"],
        "ix_models_owner_dataset_trained_at": ["owner", "dataset_id", "trained_at"],
    },
}
_OLDER: dict[str, dict[str, list[str]]] = {
    "jobs": {},
    "models": {
        "ix_models_created_at": ["created_at", "model_id"],
        "ix_models_trained_at": ["trained_at"],
        "ix_models_dataset_created_at": ["dataset_id", "created_at", "model_id"],
        "ix_models_dataset_trained_at": ["dataset_id", "trained_at"],
    },
}


def upgrade() -> None:
    """Add the columns; all that there is belongs to the owner `default`."""
    for table, indexes in _INDEXES.items():
        owner = sa.Column("owner", sa.String(64), nullable=False, server_default="default")
        op.add_column(table, owner)
        for name, columns in indexes.items():
            op.create_index(name, table, columns)
        for name in _OLDER[table]:
            op.drop_index(name, table)
    op.create_table(
        "grants",
        sa.Column("kind", sa.String(32), primary_key=True),
        sa.Column("name", sa.String(128), primary_key=True),
        sa.Column("grantee", sa.String(64), primary_key=True),
        sa.Column("granted_by", sa.String(255)),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
    )


def downgrade() -> None:
    """Drop them, and what belongs to other owners, which older versions would show to all."""
    op.drop_table("grants")
    for table, indexes in _INDEXES.items():
        others = f"DELETE FROM {table} WHERE owner <> 'default'"  # noqa: S608 # nosec B608 # constants
        op.execute(others)
        for name in indexes:
            op.drop_index(name, table)
        with op.batch_alter_table(table) as altered:
            altered.drop_column("owner")
        for name, columns in _OLDER[table].items():
            op.create_index(name, table, columns)
