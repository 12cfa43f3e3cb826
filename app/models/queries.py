"""Reads and writes of the table of models."""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from app import errors
from app.auth.actor import SYSTEM, Actor
from app.auth.audit import Action, Thing, entry
from app.auth.names import owner_of, shown
from app.database.engine import connect, database_now, insert_unless, transaction
from app.database.name_tables import names_table
from app.database.tables import jobs_table, models_table
from app.jobs.model_names import add_version, is_name, reserve_name, version_text
from app.jobs.record import Job
from app.models.deletion import deleted
from app.models.endpoint import EndpointSpec
from app.models.manifest import OnnxManifest
from app.models.record import SPECS, ModelRecord, ModelSummary, StoredFile
from app.protocol.tags import tags_of
from app.protocol.types import ModelKind

IS_THERE = models_table.c.deleted_at.is_(None)
IS_TRAINED = models_table.c.trained_at.is_not(None)
_NEWEST_FIRST = (models_table.c.created_at.desc(), models_table.c.model_id.desc())


def insert_model(
    engine: sa.Engine,
    model_id: str,
    spec: OnnxManifest | EndpointSpec,
    file: StoredFile | None,
    by: Actor = SYSTEM,
    name: str | None = None,
) -> bool:
    """Insert a model that was not trained here; return False if a model or a job has its id.

    It becomes the next version of `name`, a qualified name. Raises `errors.Conflict` if that is an
    id, or the id is a name.
    """
    row = {
        "model_id": model_id,
        "owner": owner_of(model_id),
        "kind": ModelKind(spec.kind),
        "spec": spec.model_dump(mode="json"),
        "file_key": file and file.key,
        "file_sha256": file and file.sha256,
        "created_at": database_now(),
    }
    insert = insert_unless(models_table, row, sa.exists().where(jobs_table.c.id == model_id))
    detail = str(spec.kind)
    try:
        with transaction(engine, lock=model_id) as connection:
            if connection.scalar(insert) is None:
                return False
            if connection.scalar(sa.select(is_name(model_id))):
                own = shown(owner_of(model_id), model_id)
                raise errors.Conflict("model_id", f"{own} is the name of models; choose another id")
            if name is not None:
                reserve_name(connection, name)
                number = add_version(connection, name, model_id)
                detail = f"{spec.kind} {version_text(name, number)}"
            connection.execute(entry(by, Action.CREATE, Thing.MODEL, model_id, detail))
    except IntegrityError:
        return False
    return True


def read_model(engine: sa.Engine, model_id: str) -> ModelRecord | None:
    """Return a model, or None if there is none. Raises `errors.Gone` if it was deleted."""
    return _read_first(engine, sa.select(models_table).where(models_table.c.model_id == model_id))


def read_latest(engine: sa.Engine, owner: str, dataset_id: str | None) -> ModelRecord | None:
    """Return the owner's model whose training finished last, on one data set or on any."""
    query = sa.select(models_table).where(IS_TRAINED, IS_THERE, models_table.c.owner == owner)
    if dataset_id:
        query = query.where(models_table.c.dataset_id == dataset_id)
    newest_first = query.order_by(models_table.c.trained_at.desc(), models_table.c.model_id)
    return _read_first(engine, newest_first.limit(1))


def summary_of(row: Any) -> ModelSummary:
    """Return a row of a list of models as it is shown."""
    summary = row.fit_summary or {}
    return ModelSummary(
        model_id=row.model_id,
        kind=ModelKind(row.kind),
        dataset_id=row.dataset_id,
        dataset_version=row.dataset_version,
        tags=tags_of(row.tags),
        estimator=summary.get("estimator", row.estimator),
        runtime=summary.get("runtime"),
        metrics=row.metrics,
        warnings=summary.get("warnings"),
        shortened=bool(row.shortened),
        created_at=row.created_at,
        trained_at=row.trained_at,
        name=row.name,
        version=row.version,
    )


def read_newest_ids(engine: sa.Engine, owner: str, limit: int) -> Sequence[str]:
    """Return the ids of the owner's newest models."""
    own = (IS_THERE, models_table.c.owner == owner)
    newest_first = sa.select(models_table.c.model_id).where(*own).order_by(*_NEWEST_FIRST)
    with connect(engine) as connection:
        return connection.scalars(newest_first.limit(limit)).all()


def read_newest_names(engine: sa.Engine, owner: str, limit: int) -> Sequence[str]:
    """Return the owner's newest names of models."""
    name = names_table.c
    newest_first = sa.select(name.name).where(name.owner == owner)
    newest_first = newest_first.order_by(name.created_at.desc(), name.name.desc())
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
    if row.deleted_at:
        raise deleted(row.model_id)
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
