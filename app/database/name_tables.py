"""The tables of names of models: their versions and aliases."""

import sqlalchemy as sa

from app.database.tables import UtcDateTime, metadata

_Json = sa.JSON(none_as_null=True)

# Names of models. A name is never also the id of a model or a job.
names_table = sa.Table(
    "names",
    metadata,
    sa.Column("name", sa.String(128), primary_key=True),  # the qualified name
    sa.Column("owner", sa.String(64), nullable=False),  # as in the name
    sa.Column("last_version", sa.Integer, nullable=False),  # 0 before the first one
    sa.Column("description", sa.Text),
    sa.Column("tags", sa.Text),
    sa.Column("split", _Json),  # weights by version, such as {"1": 9, "2": 1}
    sa.Column("created_at", UtcDateTime, nullable=False),
    sa.Index("ix_names_owner_created_at", "owner", "created_at", "name"),
)

# The models that were published under a name, numbered from 1. A deleted one keeps its number.
versions_table = sa.Table(
    "versions",
    metadata,
    sa.Column("name", sa.String(128), primary_key=True),
    sa.Column("version", sa.Integer, primary_key=True),
    sa.Column("model_id", sa.String(128), nullable=False, unique=True),
    sa.Column("description", sa.Text),
    sa.Column("tags", sa.Text),
    sa.Column("created_at", UtcDateTime, nullable=False),
)

# What aliases point to now; `change` is the number of the newest row of the history.
aliases_table = sa.Table(
    "aliases",
    metadata,
    sa.Column("name", sa.String(128), primary_key=True),
    sa.Column("alias", sa.String(64), primary_key=True),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("change", sa.Integer, nullable=False),
    sa.Column("changed_at", UtcDateTime, nullable=False),
)

# What aliases pointed to, since when and why. Triggers refuse to change or delete a row.
alias_history_table = sa.Table(
    "alias_history",
    metadata,
    sa.Column("name", sa.String(128), primary_key=True),
    sa.Column("alias", sa.String(64), primary_key=True),
    sa.Column("change", sa.Integer, primary_key=True),  # counted from 1
    sa.Column("changed_at", UtcDateTime, nullable=False),
    sa.Column("actor", sa.String(255), nullable=False),
    sa.Column("from_version", sa.Integer),  # null if the alias was not there
    sa.Column("to_version", sa.Integer),  # null if the alias was deleted
    sa.Column("why", sa.Text),
    sa.Column("kind", sa.String(32), nullable=False),  # `set`, `rollback` or `delete`
    sa.Column("origin", sa.Integer, nullable=False),  # the change that it came back to, or itself
    sa.Column("forced", sa.Boolean, nullable=False),
    sa.Column("comparison", _Json),  # of the promotion check
)

# The version that gets a share of the calls of an alias once more; a name has at most one.
shadows_table = sa.Table(
    "shadows",
    metadata,
    sa.Column("name", sa.String(128), primary_key=True),
    sa.Column("alias", sa.String(64), nullable=False),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("share", sa.Float, nullable=False),
    sa.Column("changed_at", UtcDateTime, nullable=False),
)

# How the answers of a shadow and of the version of its alias compare; producers add to it.
shadow_counts_table = sa.Table(
    "shadow_counts",
    metadata,
    sa.Column("name", sa.String(128), primary_key=True),
    sa.Column("base_version", sa.Integer, primary_key=True),  # that of the alias
    sa.Column("version", sa.Integer, primary_key=True),  # that of the shadow
    sa.Column("calls", sa.BigInteger, nullable=False),  # whose answers were compared
    sa.Column("rows", sa.BigInteger, nullable=False),
    sa.Column("disagreed", sa.BigInteger, nullable=False),  # rows
    sa.Column("numbers", sa.BigInteger, nullable=False),  # rows whose answers are numbers
    sa.Column("difference_sum", sa.Float, nullable=False),  # of those rows, absolute
    sa.Column("difference_max", sa.Float, nullable=False),
    sa.Column("failed", sa.BigInteger, nullable=False),  # calls
    sa.Column("dropped", sa.BigInteger, nullable=False),
    sa.Column("features", _Json),  # the same by feature, of some of the rows
    sa.Column("created_at", UtcDateTime, nullable=False),
    sa.Column("updated_at", UtcDateTime, nullable=False),
)
