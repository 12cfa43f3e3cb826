"""Reads and writes of the table of versions."""

from collections.abc import Sequence
from dataclasses import fields
from typing import Any

import sqlalchemy as sa

from app.auth.actor import Actor
from app.auth.audit import Action, Outcome, Thing, entry
from app.auth.grants import Kind, delete_grants
from app.database.auth_tables import grants_table
from app.database.engine import connect, database_now, transaction
from app.database.tables import dataset_versions_table
from app.datasets.loose_files import bound, loose
from app.datasets.version import DatasetVersion, Facts

_TOGETHER = 500  # data sets that a query names, because databases bound its parameters

_column = dataset_versions_table.c
_READ = [_column[field.name] for field in fields(DatasetVersion)]


def begin_put(
    engine: sa.Engine, dataset_id: str, version: str, by: Actor, *, replaces: bool
) -> None:
    """Note in the audit log that a data set gets a version.

    A new data set is shared with nobody: grants of a deleted one that were left behind go.
    """
    action = Action.REPLACE if replaces else Action.CREATE
    row = entry(by, action, Thing.DATASET, dataset_id, version, Outcome.BEGUN)
    with transaction(engine) as connection:
        connection.execute(row)
        if not replaces:
            connection.execute(delete_grants(Kind.DATASET, dataset_id))


def is_known(engine: sa.Engine, dataset_id: str) -> bool:
    """Tell whether a data set has a version or a grant."""
    column = grants_table.c
    versions = sa.exists().where(_column.dataset_id == dataset_id, _column.deleted_at.is_(None))
    grants = sa.exists().where(column.kind == Kind.DATASET, column.name == dataset_id)
    with connect(engine) as connection:
        return bool(connection.scalar(sa.select(versions | grants)))


def delete_versions(engine: sa.Engine, dataset_id: str) -> None:
    """Mark all versions of a data set as deleted, and take its grants back."""
    delete = (
        sa.update(dataset_versions_table)
        .where(_column.dataset_id == dataset_id, _column.deleted_at.is_(None))
        .values(deleted_at=database_now(), etag=None)
    )
    with transaction(engine) as connection:
        connection.execute(delete)
        connection.execute(delete_grants(Kind.DATASET, dataset_id))


def save_version(
    engine: sa.Engine, dataset_id: str, version: str, file_key: str, size: int, facts: Facts
) -> None:
    """Insert a version that is not current yet; `size` is in bytes.

    If the version has a row, also a deleted one, the row gets the new file, because the older file
    may be damaged.
    """
    stored = {
        "file_key": file_key,
        "size": size,
        "table_format": facts.table_format and dict(facts.table_format),
        "columns": facts.columns and list(facts.columns),
        "rows": facts.rows,
        "warnings": None if facts.warnings is None else list(facts.warnings),
        "pinned_at": database_now(),
        "deleted_at": None,
    }
    row = {"dataset_id": dataset_id, "version": version, "created_at": database_now(), **stored}
    known = {name: value for name, value in stored.items() if value is not None}
    update = sa.update(dataset_versions_table).where(*_is(dataset_id, version))
    older = sa.select(_column.file_key).where(*_is(dataset_id, version))
    with transaction(engine, lock=f"version {dataset_id} {version}") as connection:
        connection.execute(bound([file_key]))
        if (replaced := connection.scalar(older)) is None:
            connection.execute(sa.insert(dataset_versions_table).values(**row))
        else:
            connection.execute(update.values(**known, deleted_at=None))
            connection.execute(loose(replaced))


def mark_current(engine: sa.Engine, dataset_id: str, version: str, etag: str) -> None:
    """Note that the current object of a data set has this version's content, and no other's."""
    this = _column.version == version
    with connect(engine) as connection:
        connection.execute(
            sa.update(dataset_versions_table)
            .where(_column.dataset_id == dataset_id)
            .values(
                etag=sa.case((this, etag)),
                deleted_at=sa.case((this, None), else_=_column.deleted_at),
            )
        )


def take_current(engine: sa.Engine, version: DatasetVersion) -> bool:
    """Note that the current object is about to lose this version's content.

    Of several callers who saw it with this version, only one gets True.
    """
    update = sa.update(dataset_versions_table).where(
        *_is(version.dataset_id, version.version), _column.etag == version.etag
    )
    with connect(engine) as connection:
        return connection.execute(update.values(etag=None)).rowcount == 1


def pin_current(engine: sa.Engine, dataset_id: str, etag: str, size: int) -> DatasetVersion | None:
    """Return the version whose content the current object has, and note that it is used."""
    return _pin(
        engine, _column.dataset_id == dataset_id, _column.etag == etag, _column.size == size
    )


def pin_version(engine: sa.Engine, dataset_id: str, version: str) -> DatasetVersion | None:
    """Return a version that is not deleted, and note that it is used."""
    return _pin(engine, *_is(dataset_id, version))


def read_version(engine: sa.Engine, dataset_id: str, version: str) -> DatasetVersion | None:
    """Return a version; also a deleted one, which a job may have been accepted with."""
    query = sa.select(*_READ).where(*_is(dataset_id, version))
    with connect(engine) as connection:
        return _of(connection.execute(query).first())


def read_versions(engine: sa.Engine, dataset_id: str, limit: int) -> Sequence[DatasetVersion]:
    """Return the versions of a data set that are not deleted, the newest first."""
    query = (
        sa.select(*_READ)
        .where(_column.dataset_id == dataset_id, _column.deleted_at.is_(None))
        .order_by(_column.created_at.desc(), _column.version)
        .limit(limit)
    )
    with connect(engine) as connection:
        return [found for row in connection.execute(query) if (found := _of(row))]


def read_profile(engine: sa.Engine, dataset_id: str, version: str) -> dict[str, Any] | None:
    """Return what was kept of the description of a version."""
    query = sa.select(_column.profile).where(*_is(dataset_id, version))
    with connect(engine) as connection:
        kept: dict[str, Any] | None = connection.scalar(query)
        return kept


def write_profile(
    engine: sa.Engine, dataset_id: str, version: str, profile: dict[str, Any]
) -> None:
    """Keep the description of a version, and the columns and rows that it found."""
    described = profile.get("description")
    found = {}
    if described and not described["more_columns"]:
        found["columns"] = [each["name"] for each in described["columns"]]
    if described:
        found |= {"rows": described["rows"], "table_format": described["format"]}
    with connect(engine) as connection:
        connection.execute(
            sa.update(dataset_versions_table)
            .where(*_is(dataset_id, version))
            .values(profile=profile, **found)
        )


def read_current(
    engine: sa.Engine, dataset_ids: Sequence[str]
) -> dict[tuple[str, str], DatasetVersion]:
    """Return the versions of data sets that were current when somebody looked.

    They are found by their data set and ETag.
    """
    found = []
    with connect(engine) as connection:
        for begin in range(0, len(dataset_ids), _TOGETHER):
            some = _column.dataset_id.in_(dataset_ids[begin : begin + _TOGETHER])
            query = sa.select(*_READ).where(some, _column.etag.is_not(None))
            found += [each for row in connection.execute(query) if (each := _of(row))]
    return {(each.dataset_id, str(each.etag)): each for each in found}


def _pin(engine: sa.Engine, *which: sa.ColumnElement[bool]) -> DatasetVersion | None:
    update = (
        sa.update(dataset_versions_table)
        .where(*which, _column.deleted_at.is_(None))
        .values(pinned_at=database_now())
        .returning(*_READ)
    )
    with connect(engine) as connection:
        return _of(connection.execute(update).first())


def _is(dataset_id: str, version: str) -> tuple[sa.ColumnElement[bool], ...]:
    return _column.dataset_id == dataset_id, _column.version == version


def _of(row: sa.Row[Any] | None) -> DatasetVersion | None:
    return row and DatasetVersion(**row._mapping)
