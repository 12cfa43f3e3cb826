"""Publish the models of completed trainings by inserting their rows."""

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from app.database.engine import connect, read_time
from app.database.tables import jobs_table, models_table
from app.protocol.types import JobKind, JobStatus, ModelKind

RECENT_SECONDS = 7 * 86_400.0  # by then, the consumers of the version before have been stopped
COMPLETED_WITHOUT_MODEL = (
    jobs_table.c.kind == JobKind.TRAIN,
    jobs_table.c.state == JobStatus.COMPLETED,
    ~sa.exists().where(models_table.c.model_id == jobs_table.c.id),
)


def insert_trained_models(*which: sa.ColumnElement[bool]) -> sa.Insert:
    """Return an INSERT of the models of completed trainings that have no row yet."""
    values = {
        "model_id": jobs_table.c.id,
        "owner": jobs_table.c.owner,
        "kind": sa.literal(ModelKind.TRAINED.value, sa.String),
        "dataset_id": jobs_table.c.dataset_id,
        "dataset_version": jobs_table.c.dataset_version,
        "tags": jobs_table.c.tags,
        "spec": jobs_table.c.request,
        "file_key": jobs_table.c.result_key,
        "file_sha256": jobs_table.c.result_sha256,
        "metrics": jobs_table.c.metrics,
        "fit_summary": jobs_table.c.fit_summary,
        "created_at": jobs_table.c.created_at,
        "trained_at": jobs_table.c.ended_at,
    }
    published = sa.select(*values.values()).where(*COMPLETED_WITHOUT_MODEL, *which)
    return sa.insert(models_table).from_select(list(values), published)


def publish_missing_models(engine: sa.Engine) -> int:
    """Insert the models of trainings that an older consumer completed; return how many.

    Only jobs of the last `RECENT_SECONDS` are looked at. The first look writes nothing, because a
    write would make other writers of SQLite wait.
    """
    try:
        with connect(engine) as connection:
            recent = jobs_table.c.created_at > read_time(connection, -RECENT_SECONDS)
            if connection.scalar(
                sa.select(jobs_table.c.id).where(*COMPLETED_WITHOUT_MODEL, recent).limit(1)
            ):
                insert = insert_trained_models(recent).execution_options(preserve_rowcount=True)
                return connection.execute(insert).rowcount
            return 0
    except IntegrityError:  # another process is inserting the same models
        return 0
