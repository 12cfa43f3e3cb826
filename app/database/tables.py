"""The tables of the database."""

from datetime import UTC, datetime

import sqlalchemy as sa


class UtcDateTime(sa.types.TypeDecorator[datetime]):
    """A time with its zone. SQLite keeps none, so UTC is added to the times read from it."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def process_result_value(self, value: datetime | None, _: sa.Dialect) -> datetime | None:
        """Return a time as it is read."""
        return value if value is None or value.tzinfo else value.replace(tzinfo=UTC)


_Json = sa.JSON(none_as_null=True)
metadata = sa.MetaData()
jobs_table = sa.Table(
    "jobs",
    metadata,
    sa.Column("id", sa.String(128), primary_key=True),
    sa.Column("kind", sa.String(32), nullable=False),
    sa.Column("state", sa.String(32), nullable=False),
    sa.Column("dataset_id", sa.String(128)),
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
    sa.Column("size", sa.Integer, nullable=False, default=0),  # bytes of the request and inputs
    sa.Column("idempotency_key", sa.String(255), unique=True),
    sa.Column("reply_to", sa.String(255)),
    sa.Column("correlation_id", sa.String(255)),
    sa.Column("created_at", UtcDateTime, nullable=False),
    sa.Column("published_at", UtcDateTime),  # null in a queued job: its message is unpublished
    sa.Column("run_after", UtcDateTime),
    sa.Column("started_at", UtcDateTime),
    sa.Column("lease_until", UtcDateTime),
    sa.Column("ended_at", UtcDateTime),
    sa.Index("ix_jobs_created_at", "created_at", "id"),
    sa.Index("ix_jobs_state_created_at", "state", "created_at", "id"),
    sa.Index("ix_jobs_dataset_ended_at", "dataset_id", "ended_at"),
    sa.Index("ix_jobs_kind_state_published", "kind", "state", "published_at"),
    sa.Index("ix_jobs_kind_state_caller", "kind", "state", "caller", "size"),
    sa.Index("ix_jobs_ended_at", "ended_at", "size"),  # for the retention
)

# Models that can answer: trained and registered ones.
models_table = sa.Table(
    "models",
    metadata,
    sa.Column("model_id", sa.String(128), primary_key=True),  # never also the id of another job
    sa.Column("kind", sa.String(32), nullable=False),
    sa.Column("dataset_id", sa.String(128)),
    sa.Column("spec", sa.JSON, nullable=False),  # the training's request, or what was registered
    sa.Column("file_key", sa.String(1024)),
    sa.Column("file_sha256", sa.String(64)),
    sa.Column("metrics", _Json),
    sa.Column("fit_summary", _Json),
    sa.Column("created_at", UtcDateTime, nullable=False),  # the training's, or the registration's
    sa.Column("trained_at", UtcDateTime),  # null for models that were not trained here
    sa.Index("ix_models_created_at", "created_at", "model_id"),
    sa.Index("ix_models_dataset_created_at", "dataset_id", "created_at", "model_id"),
    sa.Index("ix_models_trained_at", "trained_at"),
    sa.Index("ix_models_dataset_trained_at", "dataset_id", "trained_at"),
)
