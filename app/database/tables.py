"""The tables of the database."""

from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa


class UtcDateTime(sa.types.TypeDecorator[datetime]):
    """A time in UTC: SQLite keeps no zone, and PostgreSQL answers in that of the session."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, _: sa.Dialect) -> datetime | None:
        """Return a time as it is written or compared."""
        return value and _in_utc(value)

    def process_result_value(self, value: datetime | None, _: sa.Dialect) -> datetime | None:
        """Return a time as it is read."""
        return value and _in_utc(value)


def _in_utc(time: datetime) -> datetime:
    return time.astimezone(UTC) if time.tzinfo else time.replace(tzinfo=UTC)


def _where(condition: str) -> dict[str, Any]:
    """Return the arguments of an index that has only the rows of a condition."""
    return dict.fromkeys(("sqlite_where", "postgresql_where"), sa.text(condition))


_Json = sa.JSON(none_as_null=True)
metadata = sa.MetaData()
jobs_table = sa.Table(
    "jobs",
    metadata,
    sa.Column("id", sa.String(128), primary_key=True),
    sa.Column("owner", sa.String(64), nullable=False, server_default="default"),  # as in the id
    sa.Column("kind", sa.String(32), nullable=False),
    sa.Column("state", sa.String(32), nullable=False),
    sa.Column("dataset_id", sa.String(128)),
    sa.Column("dataset_version", sa.String(128)),  # of a training; pinned when it is accepted
    sa.Column("tags", sa.Text),  # of a training, each between two bars: "|a|b|"
    sa.Column("request", sa.JSON, nullable=False),
    sa.Column("attempt", sa.Integer, nullable=False, default=0),  # the fencing token
    sa.Column("failures", sa.Integer, nullable=False, default=0),  # failed attempts
    sa.Column("losses", sa.Integer, nullable=False, default=0),  # consumers lost during an attempt
    sa.Column("version", sa.Integer, nullable=False, default=0),  # grows with visible changes
    sa.Column("worker", sa.String(256)),
    sa.Column("progress", sa.Float),
    sa.Column("result_key", sa.String(1024)),
    sa.Column("result_sha256", sa.String(64)),
    sa.Column("metrics", _Json),
    sa.Column("fit_summary", _Json),  # of a completed training: `TrainedManifest.fit_summary`
    sa.Column("result", _Json),
    sa.Column("sync", _Json),  # of a prediction by two models: the fast model's answer
    sa.Column("error", _Json),
    sa.Column("inputs", sa.Text),  # JSON of a prediction that has not ended; may be megabytes
    sa.Column("caller", sa.String(255)),  # who asked, as limits count it; null in older rows
    sa.Column("key_id", sa.String(32)),  # the key that asked, if its own jobs have a limit
    sa.Column("size", sa.Integer, nullable=False, default=0),  # bytes of the request and inputs
    sa.Column("idempotency_key", sa.String(255), unique=True),
    sa.Column("reply_to", sa.String(255)),
    sa.Column("correlation_id", sa.String(255)),
    sa.Column("traceparent", sa.String(64)),  # the span that asked for the job
    sa.Column("created_at", UtcDateTime, nullable=False),
    sa.Column("published_at", UtcDateTime),  # null in a queued job: its message is unpublished
    sa.Column("run_after", UtcDateTime),
    sa.Column("started_at", UtcDateTime),
    sa.Column("lease_until", UtcDateTime),
    sa.Column("ended_at", UtcDateTime),  # of parts only if they failed
    sa.Column("parent", sa.String(128)),  # of a part: the batch job that it belongs to
    sa.Column("part", sa.Integer),  # its number, from 0
    sa.Column("parts", sa.Integer),  # of a batch job: how many parts it was split into
    sa.Column("folder", sa.String(1024)),  # of a batch job: where its files are until its clean-up
    # Of its log: how many lines there were, and the last attempt whose lines are all written.
    sa.Column("log_lines", sa.Integer, nullable=False, server_default="0"),
    sa.Column("log_attempt", sa.Integer, nullable=False, server_default="0"),
    sa.Index("ix_jobs_created_at", "created_at", "id"),
    sa.Index("ix_jobs_state_created_at", "state", "created_at", "id"),
    sa.Index("ix_jobs_owner_created_at", "owner", "created_at", "id"),
    sa.Index("ix_jobs_owner_state_created_at", "owner", "state", "created_at", "id"),
    sa.Index("ix_jobs_dataset_ended_at", "dataset_id", "ended_at"),
    sa.Index("ix_jobs_dataset_version", "dataset_id", "dataset_version"),
    sa.Index("ix_jobs_kind_state_published", "kind", "state", "published_at"),
    sa.Index("ix_jobs_kind_state_caller", "kind", "state", "caller", "size"),
    sa.Index("ix_jobs_ended_at", "ended_at", "size"),  # for the retention
    # Without most rows, so that no query of the rows without a parent reads this one.
    sa.Index("ix_jobs_parent", "parent", "state", **_where("parent IS NOT NULL")),
    sa.Index("ix_jobs_key_id", "key_id", "state", "size", **_where("key_id IS NOT NULL")),
    sa.Index("ix_jobs_folder", "folder", **_where("folder IS NOT NULL")),  # for the clean-up
)

# The newest attempts of each job. Rows of a job that is deleted are deleted with it.
attempts_table = sa.Table(
    "attempts",
    metadata,
    sa.Column("job_id", sa.String(128), primary_key=True),
    sa.Column("attempt", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("consumer", sa.String(256), nullable=False),  # the job's `worker` then
    sa.Column("started_at", UtcDateTime, nullable=False),
    sa.Column("ended_at", UtcDateTime),
    sa.Column("outcome", sa.String(32)),
    sa.Column("reason", sa.Text),
)

# What consumers logged about a job. Lines that are left out leave a gap in the numbers.
job_lines_table = sa.Table(
    "job_lines",
    metadata,
    sa.Column("job_id", sa.String(128), primary_key=True),  # of lines of a part: the batch job
    sa.Column("number", sa.Integer, primary_key=True),
    sa.Column("attempt", sa.Integer, nullable=False),  # of the job, or of its part
    sa.Column("part", sa.Integer),
    sa.Column("time", UtcDateTime, nullable=False),  # by the clock of the consumer
    sa.Column("level", sa.String(16), nullable=False),
    sa.Column("text", sa.Text, nullable=False),
    sa.Column("consumer", sa.String(256), nullable=False),  # the worker, as in the job's row
)

# Models that can answer: trained and registered ones.
models_table = sa.Table(
    "models",
    metadata,
    sa.Column("model_id", sa.String(128), primary_key=True),  # never also the id of another job
    sa.Column("owner", sa.String(64), nullable=False, server_default="default"),  # as in the id
    sa.Column("kind", sa.String(32), nullable=False),
    sa.Column("dataset_id", sa.String(128)),
    sa.Column("dataset_version", sa.String(128)),
    sa.Column("tags", sa.Text),
    sa.Column("spec", sa.JSON, nullable=False),  # the training's request, or what was registered
    sa.Column("file_key", sa.String(1024)),
    sa.Column("file_sha256", sa.String(64)),
    sa.Column("metrics", _Json),
    sa.Column("fit_summary", _Json),
    sa.Column("created_at", UtcDateTime, nullable=False),  # the training's, or the registration's
    sa.Column("trained_at", UtcDateTime),  # null for models that were not trained here
    sa.Column("deleted_at", UtcDateTime),  # of a deleted model only the id is kept
    sa.Index("ix_models_owner_created_at", "owner", "created_at", "model_id"),
    sa.Index("ix_models_owner_dataset_created_at", "owner", "dataset_id", "created_at", "model_id"),
    sa.Index("ix_models_owner_trained_at", "owner", "trained_at"),
    sa.Index("ix_models_owner_dataset_trained_at", "owner", "dataset_id", "trained_at"),
    sa.Index("ix_models_dataset_version", "dataset_id", "dataset_version"),
    sa.Index("ix_models_deleted_at", "deleted_at", **_where("deleted_at IS NOT NULL")),
)

# The contents that data sets have or had. Each has a file of its own, which never changes.
dataset_versions_table = sa.Table(
    "dataset_versions",
    metadata,
    sa.Column("dataset_id", sa.String(128), primary_key=True),
    sa.Column("version", sa.String(128), primary_key=True),  # made of the sha256 of the content
    sa.Column("file_key", sa.String(1024), nullable=False),
    sa.Column("etag", sa.String(255)),  # of the current object with this content, else null
    sa.Column("size", sa.BigInteger, nullable=False),  # bytes
    sa.Column("table_format", _Json),  # how to read the file; null where a reader has to find out
    sa.Column("columns", _Json),
    sa.Column("rows", sa.BigInteger),
    sa.Column("warnings", _Json),
    sa.Column("profile", _Json),  # computed when somebody asks for it first
    sa.Column("created_at", UtcDateTime, nullable=False),
    sa.Column("pinned_at", UtcDateTime, nullable=False),  # when somebody used it last
    sa.Column("deleted_at", UtcDateTime),
    sa.Index("ix_dataset_versions_pinned_at", "pinned_at"),
)

# Files of versions that no version has: one is being stored, or has to be deleted.
loose_files_table = sa.Table(
    "loose_files",
    metadata,
    sa.Column("file_key", sa.String(1024), primary_key=True),
    sa.Column("since", UtcDateTime, nullable=False),
    sa.Index("ix_loose_files_since", "since"),
)

# The consumers that are heard of. One that ends deletes its row.
workers_table = sa.Table(
    "workers",
    metadata,
    sa.Column("name", sa.String(256), primary_key=True),
    sa.Column("host", sa.String(255), nullable=False),
    sa.Column("pid", sa.Integer, nullable=False),
    sa.Column("version", sa.String(64), nullable=False),
    sa.Column("python", sa.String(32), nullable=False),
    sa.Column("threads", sa.Integer, nullable=False),
    sa.Column("jobs", sa.Integer, nullable=False),  # in hand
    sa.Column("memory", sa.BigInteger, nullable=False),  # bytes, with those of its children
    sa.Column("unacknowledged", _Json),  # deliveries by queue; null from older consumers
    sa.Column("started_at", UtcDateTime, nullable=False),
    sa.Column("seen_at", UtcDateTime, nullable=False),
)
