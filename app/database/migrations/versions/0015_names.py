"""Names of models, their versions and aliases, and the history of aliases, which nobody changes."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"

_REFUSED = "the history of aliases is append-only"
_SQLITE = tuple(
    f"""CREATE TRIGGER alias_history_no_{what.lower()} BEFORE {what} ON alias_history
    BEGIN SELECT RAISE(ABORT, '{_REFUSED}'); END"""
    for what in ("UPDATE", "DELETE")
)
_POSTGRESQL = (
    f"""CREATE FUNCTION alias_history_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      RAISE EXCEPTION '{_REFUSED}';
    END $$""",
    """CREATE TRIGGER alias_history_no_change BEFORE UPDATE OR DELETE ON alias_history
    FOR EACH ROW EXECUTE FUNCTION alias_history_refuse()""",
    """CREATE TRIGGER alias_history_no_truncate BEFORE TRUNCATE ON alias_history
    FOR EACH STATEMENT EXECUTE FUNCTION alias_history_refuse()""",
)


def upgrade() -> None:
    """Create the tables and the triggers; what was published before has no name."""
    op.create_table(
        "names",
        sa.Column("name", sa.String(128), primary_key=True),
        sa.Column("owner", sa.String(64), nullable=False),
        sa.Column("last_version", sa.Integer, nullable=False),
        sa.Column("description", sa.Text),
        sa.Column("tags", sa.Text),
        sa.Column("split", sa.JSON),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
    )
    op.create_index("ix_names_owner_created_at", "names", ["owner", "created_at", "name"])
    op.create_table(
        "versions",
        sa.Column("name", sa.String(128), primary_key=True),
        sa.Column("version", sa.Integer, primary_key=True),
        sa.Column("model_id", sa.String(128), nullable=False, unique=True),
        sa.Column("description", sa.Text),
        sa.Column("tags", sa.Text),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
    )
    op.create_table(
        "aliases",
        sa.Column("name", sa.String(128), primary_key=True),
        sa.Column("alias", sa.String(64), primary_key=True),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("change", sa.Integer, nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
    )
    op.create_table(
        "alias_history",
        sa.Column("name", sa.String(128), primary_key=True),
        sa.Column("alias", sa.String(64), primary_key=True),
        sa.Column("change", sa.Integer, primary_key=True),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("actor", sa.String(255), nullable=False),
        sa.Column("from_version", sa.Integer),
        sa.Column("to_version", sa.Integer),
        sa.Column("why", sa.Text),
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("origin", sa.Integer, nullable=False),
        sa.Column("forced", sa.Boolean, nullable=False),
        sa.Column("comparison", sa.JSON),
    )
    is_postgresql = op.get_bind().dialect.name == "postgresql"
    for each in _POSTGRESQL if is_postgresql else _SQLITE:
        op.execute(each)


def downgrade() -> None:
    """Drop them; the models stay, under their ids."""
    for table in ("alias_history", "aliases", "versions", "names"):
        op.drop_table(table)
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP FUNCTION alias_history_refuse()")
