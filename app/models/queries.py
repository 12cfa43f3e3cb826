"""Reads and writes of the table of models."""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from app.database.engine import connect, database_now, insert_unless, transaction
from app.database.tables import jobs_table, models_table
from app.jobs.record import Job, is_long, short_or_null
from app.models.endpoint import EndpointSpec
from app.models.manifest import OnnxManifest
from app.models.record import SPECS, ModelRecord, ModelSummary, StoredFile
from app.protocol.types import ModelKind

_IS_TRAINED = models_table.c.trained_at.is_not(None)
_NEWEST_FIRST = (models_table.c.created_at.desc(), models_table.c.model_id.desc())


def insert_model(
    engine: sa.Engine, model_id: str, spec: OnnxManifest | EndpointSpec, file: StoredFile | None
) -> bool:
    """Insert a model that was not trained here; return False if a model or a job has its id."""
    row = {
        "model_id": model_id,
        "kind": ModelKind(spec.kind),
        "spec": spec.model_dump(mode="json"),
        "file_key": file and file.key,
        "file_sha256": file and file.sha256,
        "created_at": database_now(),
    }
    insert = insert_unless(models_table, row, sa.exists().where(jobs_table.c.id == model_id))
    try:
        with transaction(engine, lock=model_id) as connection:
            return connection.scalar(insert) is not None
    except IntegrityError:
        return False


def read_model(engine: sa.Engine, model_id: str) -> ModelRecord | None:
    """Return a model, or None if there is none."""
    return _read_first(engine, sa.select(models_table).where(models_table.c.model_id == model_id))


def read_latest(engine: sa.Engine, dataset_id: str | None) -> ModelRecord | None:
    """Return the model whose training finished last, on one data set or on any."""
    query = sa.select(models_table).where(_IS_TRAINED)
    if dataset_id:
        query = query.where(models_table.c.dataset_id == dataset_id)
    newest_first = query.order_by(models_table.c.trained_at.desc(), models_table.c.model_id)
    return _read_first(engine, newest_first.limit(1))


def read_newest(engine: sa.Engine, limit: int, dataset_id: str | None = None) -> list[ModelSummary]:
    """Return the newest models, on one data set or on any, in short.

    Of the spec of a training only the estimator is read. Metrics and what the fit did are left out
    if they are long.
    """
    columns = models_table.c
    asked = sa.case((_IS_TRAINED, columns.spec["estimator"].as_string()))
    query = sa.select(
        columns.model_id,
        columns.kind,
        columns.dataset_id,
        asked.label("estimator"),
        short_or_null(columns.metrics),
        short_or_null(columns.fit_summary),
        sa.or_(is_long(columns.metrics), is_long(columns.fit_summary)).label("shortened"),
        columns.created_at,
        columns.trained_at,
    )
    if dataset_id:
        query = query.where(columns.dataset_id == dataset_id)
    with connect(engine) as connection:
        rows = connection.execute(query.order_by(*_NEWEST_FIRST).limit(limit)).all()
    return [_summary(row) for row in rows]


def _summary(row: Any) -> ModelSummary:
    summary = row.fit_summary or {}
    return ModelSummary(
        model_id=row.model_id,
        kind=ModelKind(row.kind),
        dataset_id=row.dataset_id,
        estimator=summary.get("estimator", row.estimator),
        runtime=summary.get("runtime"),
        metrics=row.metrics,
        warnings=summary.get("warnings"),
        shortened=bool(row.shortened),
        created_at=row.created_at,
        trained_at=row.trained_at,
    )


def read_newest_ids(engine: sa.Engine, limit: int) -> Sequence[str]:
    """Return the ids of the newest models."""
    newest_first = sa.select(models_table.c.model_id).order_by(*_NEWEST_FIRST)
    with connect(engine) as connection:
        return connection.scalars(newest_first.limit(limit)).all()


def model_of_training(job: Job) -> ModelRecord:
    """Return the model of a completed training by its job row.

    Consumers of versions without a table of models write no other row.
    """
    return ModelRecord(
        model_id=job.id,
        kind=ModelKind.TRAINED,
        spec=SPECS[ModelKind.TRAINED].model_validate(job.request),
        file=StoredFile(str(job.result_key), str(job.result_sha256)),
        dataset_id=job.dataset_id,
        metrics=job.metrics,
        fit_summary=job.fit_summary,
        created_at=job.created_at,
        trained_at=job.ended_at,
    )


def _read_first(engine: sa.Engine, query: sa.Select[Any]) -> ModelRecord | None:
    with connect(engine) as connection:
        row = connection.execute(query).first()
    if row is None:
        return None
    kind = ModelKind(row.kind)
    return ModelRecord(
        model_id=row.model_id,
        kind=kind,
        spec=SPECS[kind].model_validate(row.spec),
        file=row.file_key and StoredFile(row.file_key, row.file_sha256),
        dataset_id=row.dataset_id,
        metrics=row.metrics,
        fit_summary=row.fit_summary,
        created_at=row.created_at,
        trained_at=row.trained_at,
    )
