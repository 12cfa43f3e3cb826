"""The audit log, whose rows nobody changes; callers with keys become owners."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"

# A row older than the horizon may go: the retention writes the horizon, then deletes.
_SQLITE = (
    """CREATE TRIGGER audit_no_update BEFORE UPDATE ON audit
    BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END""",
    """CREATE TRIGGER audit_no_delete BEFORE DELETE ON audit
    WHEN NOT EXISTS (SELECT 1 FROM audit_horizon WHERE OLD.created_at < before)
    BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END""",
)
_POSTGRESQL = (
    """CREATE FUNCTION audit_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      IF TG_OP = 'DELETE' THEN
        IF EXISTS (SELECT 1 FROM audit_horizon WHERE OLD.created_at < before) THEN
          RETURN OLD;
        END IF;
      END IF;
      RAISE EXCEPTION 'the audit log is append-only';
    END $$""",
    """CREATE TRIGGER audit_no_change BEFORE UPDATE OR DELETE ON audit
    FOR EACH ROW EXECUTE FUNCTION audit_refuse()""",
    """CREATE TRIGGER audit_no_truncate BEFORE TRUNCATE ON audit
    FOR EACH STATEMENT EXECUTE FUNCTION audit_refuse()""",
)


def upgrade() -> None:
    """Create the tables and their triggers."""
    op.create_table(
        "audit",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("owner", sa.String(64), nullable=False),
        sa.Column("actor", sa.String(255), nullable=False),
        sa.Column("action", sa.String(32), nullable=False),
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("name", sa.String(255), nullable=False),
        sa.Column("detail", sa.String(255)),
        sa.Column("outcome", sa.String(32), nullable=False),
        sa.Column("request", sa.String(255)),
        sa.Column("address", sa.String(64)),
    )
    op.create_index("ix_audit_created_at", "audit", ["created_at", "id"])
    op.create_index("ix_audit_owner_created_at", "audit", ["owner", "created_at", "id"])
    op.create_index("ix_audit_name_created_at", "audit", ["name", "created_at", "id"])
    horizon = op.create_table(
        "audit_horizon", sa.Column("before", sa.DateTime(timezone=True), primary_key=True)
    )
    op.execute(sa.insert(horizon).values(before=sa.text("'1970-01-01 00:00:00.000000'")))
    is_postgresql = op.get_bind().dialect.name == "postgresql"
    for each in _POSTGRESQL if is_postgresql else _SQLITE:
        op.execute(each)
    # Limits count the keys of an owner together from now on.
    op.execute(
        "UPDATE jobs SET caller = 'owner ' || owner WHERE ended_at IS NULL AND caller LIKE 'key %'"
    )


def downgrade() -> None:
    """Drop them, and the log with them."""
    op.drop_table("audit")
    op.drop_table("audit_horizon")
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP FUNCTION audit_refuse()")
