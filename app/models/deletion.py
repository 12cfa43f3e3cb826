"""Delete models. The row stays with the id alone, so that no other model ever gets it."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from app import errors
from app.auth.actor import SYSTEM, Actor
from app.auth.audit import Action, Thing, entry
from app.auth.grants import Kind, delete_grants
from app.database.engine import connect, database_now, read_time, transaction
from app.database.name_tables import aliases_table, names_table, shadows_table, versions_table
from app.database.tables import jobs_table, models_table
from app.jobs.model_names import version_text
from app.jobs.model_publication import insert_trained_models
from app.protocol.types import ModelKind
from app.protocol.wording import listed

# A transaction may become visible so long after the time that it wrote.
LATE_SECONDS = 60.0

# Processes of older versions read such a row as a trained model whose file is missing; the newest
# trained model is none of them, because it has no time of training.
_NOTHING_LEFT: dict[str, Any] = {
    "kind": ModelKind.TRAINED,
    "dataset_id": None,
    "dataset_version": None,
    "tags": None,
    "spec": {},
    "file_key": None,
    "file_sha256": None,
    "metrics": None,
    "fit_summary": None,
    "trained_at": None,
}


def delete_model(engine: sa.Engine, model_id: str, by: Actor = SYSTEM) -> bool:
    """Delete the row of a model but for its id, and its grants; False if it was deleted before.

    Raises `errors.Conflict` if an alias, a split or a shadow uses it. The job of its training does
    not name its files any more, so that they are unneeded.
    """
    this = jobs_table.c.id == model_id
    try:
        with connect(engine) as connection:  # the model of an older consumer has no row
            connection.execute(insert_trained_models(this))
    except IntegrityError:
        pass  # another process inserted the same row
    delete = (
        sa.update(models_table)
        .where(models_table.c.model_id == model_id, models_table.c.deleted_at.is_(None))
        .values(**_NOTHING_LEFT, deleted_at=database_now())
    )
    with transaction(engine, lock=model_id) as connection:
        if connection.execute(delete).rowcount == 0:
            return False
        _require_unused(connection, model_id)
        connection.execute(
            sa.update(jobs_table)
            .where(this)
            .values(result_key=None, result_sha256=None, version=jobs_table.c.version + 1)
        )
        connection.execute(delete_grants(Kind.MODEL, model_id))
        connection.execute(entry(by, Action.DELETE, Thing.MODEL, model_id))
    return True


def _require_unused(connection: sa.Connection, model_id: str) -> None:
    """Raise `errors.Conflict` if an alias points to a model, or calls are sent to it."""
    version, alias = versions_table.c, aliases_table.c
    this = sa.select(version.name, version.version, names_table.c.split)
    this = this.join(names_table, names_table.c.name == version.name)
    row = connection.execute(this.where(version.model_id == model_id)).first()
    if row is None:
        return
    text = version_text(row.name, row.version)
    pointing = sa.select(alias.alias).where(alias.name == row.name, alias.version == row.version)
    if found := connection.scalars(pointing.order_by(alias.alias)).all():
        names = listed([f"{row.name}@{each}" for each in found])
        one = len(found) == 1
        detail = (
            f"{names} {'points' if one else 'point'} to {text}; "
            f"point {'it' if one else 'them'} to another version first"
        )
        raise errors.Conflict("model_id", detail, aliases=list(found))
    if row.split and str(row.version) in row.split:
        detail = f"calls of {row.name} are split to {text}; change the split first"
        raise errors.Conflict("model_id", detail)
    shadow = shadows_table.c
    this = sa.select(shadow.alias).where(shadow.name == row.name, shadow.version == row.version)
    if (shadowed := connection.scalar(this)) is not None:
        detail = f"{text} is the shadow of {row.name}@{shadowed}; delete the shadow first"
        raise errors.Conflict("model_id", detail)


def read_deleted(engine: sa.Engine, since: datetime | None) -> tuple[Sequence[str], datetime]:
    """Return the ids of the models that were deleted after a time, and the time to ask from next.

    Some are returned twice, because a transaction may end later than the time that it wrote.
    Without a time, return none.
    """
    with connect(engine) as connection:
        following = read_time(connection, -LATE_SECONDS)
        if since is None:
            return (), following
        query = sa.select(models_table.c.model_id).where(models_table.c.deleted_at > since)
        return connection.scalars(query).all(), following


def deleted(model_id: str) -> errors.Gone:
    """Return the error of a model that was deleted."""
    return errors.Gone("model_id", f"model {model_id} was deleted; its id is never used again")
