"""The tables of keys, logins, grants and the audit log."""

import sqlalchemy as sa

from app.database.tables import UtcDateTime, metadata

# API keys. The text of a key is nowhere, only its hash.
api_keys_table = sa.Table(
    "api_keys",
    metadata,
    sa.Column("id", sa.String(32), primary_key=True),
    sa.Column("name", sa.String(128), nullable=False),
    sa.Column("owner", sa.String(64), nullable=False),
    sa.Column("scopes", sa.String(255), nullable=False),  # separated by spaces
    sa.Column("hash", sa.String(64), nullable=False),
    sa.Column("created_at", UtcDateTime, nullable=False),
    sa.Column("expires_at", UtcDateTime),
    sa.Column("revoked_at", UtcDateTime),
    sa.Column("last_used_at", UtcDateTime),
    sa.Column("rotates", sa.String(32)),  # the key that this one replaces
    sa.Column("seconds", sa.Float),  # how long it was made for, which a rotation does not change
    sa.Column("max_requests", sa.Float),  # a second, as the rows; null is only the owner's limit
    sa.Column("max_rows", sa.Float),
    sa.Column("max_queued", sa.Integer),
)

# Logins of browsers; a logout deletes the row.
sessions_table = sa.Table(
    "sessions",
    metadata,
    sa.Column("id", sa.String(32), primary_key=True),
    sa.Column("key_id", sa.String(32), nullable=False),
    sa.Column("hash", sa.String(64), nullable=False),
    sa.Column("expires_at", UtcDateTime, nullable=False),
)

# The secret of the hashes, and the version of the keys and sessions.
auth_state_table = sa.Table(
    "auth_state",
    metadata,
    sa.Column("name", sa.String(32), primary_key=True),
    sa.Column("value", sa.String(255), nullable=False),
)

# Who may read a model or a data set of another owner.
grants_table = sa.Table(
    "grants",
    metadata,
    sa.Column("kind", sa.String(32), primary_key=True),  # `model` or `dataset`
    sa.Column("name", sa.String(128), primary_key=True),  # the qualified name
    sa.Column("grantee", sa.String(64), primary_key=True),  # an owner, or `*` for all
    sa.Column("granted_by", sa.String(255)),  # a key's id or a subject; null for anyone
    sa.Column("created_at", UtcDateTime, nullable=False),
)

# Who changed what. Triggers refuse to change a row, and to delete one that is not too old.
audit_table = sa.Table(
    "audit",
    metadata,
    sa.Column("id", sa.String(32), primary_key=True),
    sa.Column("created_at", UtcDateTime, nullable=False),
    sa.Column("owner", sa.String(64), nullable=False),  # for whom the actor acted
    sa.Column("actor", sa.String(255), nullable=False),
    sa.Column("action", sa.String(32), nullable=False),
    sa.Column("kind", sa.String(32), nullable=False),
    sa.Column("name", sa.String(255), nullable=False),  # qualified, of a thing of an owner
    sa.Column("detail", sa.String(255)),
    sa.Column("outcome", sa.String(32), nullable=False),
    sa.Column("request", sa.String(255)),  # the id of the request, or a `correlation_id`
    sa.Column("address", sa.String(64)),
    sa.Index("ix_audit_created_at", "created_at", "id"),
    sa.Index("ix_audit_owner_created_at", "owner", "created_at", "id"),
    sa.Index("ix_audit_name_created_at", "name", "created_at", "id"),
)

# One row: the time before which rows of the audit log may be deleted.
audit_horizon_table = sa.Table(
    "audit_horizon", metadata, sa.Column("before", UtcDateTime, primary_key=True)
)
