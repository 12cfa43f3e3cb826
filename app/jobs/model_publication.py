"""Publish the models of completed trainings by inserting their rows."""

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from app.database.engine import connect
from app.database.tables import jobs_table, models_table
from app.protocol.types import JobKind, JobStatus, ModelKind


def insert_trained_models(*which: sa.ColumnElement[bool]) -> sa.Insert:
    """Return an INSERT of the models of completed trainings that have no row yet."""
    values = {
        "model_id": jobs_table.c.id,
        "kind": sa.literal(ModelKind.TRAINED.value, sa.String),
        "dataset_id": jobs_table.c.dataset_id,
        "spec": jobs_table.c.request,
        "file_key": jobs_table.c.result_key,
        "file_sha256": jobs_table.c.result_sha256,
        "metrics": jobs_table.c.metrics,
        "fit": jobs_table.c.fit,
        "created_at": jobs_table.c.created_at,
        "trained_at": jobs_table.c.ended_at,
    }
    unknown = ~sa.exists().where(models_table.c.model_id == jobs_table.c.id)
    published = sa.select(*values.values()).where(
        jobs_table.c.kind == JobKind.TRAIN, jobs_table.c.state == JobStatus.COMPLETED, unknown
    )
    return sa.insert(models_table).from_select(list(values), published.where(*which))


def publish_missing_models(engine: sa.Engine) -> int:
    """Insert the models of trainings that an older consumer completed; return how many."""
    insert = insert_trained_models().returning(models_table.c.model_id)
    try:
        with connect(engine) as connection:
            return len(connection.scalars(insert).all())
    except IntegrityError:  # another process is inserting the same models
        return 0
