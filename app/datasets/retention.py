"""Delete the versions of data sets that nobody needs.

Several processes may call this at a time.
"""

from contextlib import suppress

import sqlalchemy as sa

from app import errors
from app.auth.actor import SYSTEM, Actor
from app.auth.audit import Action, Thing, begin
from app.database.engine import connect, read_time, transaction
from app.database.tables import dataset_versions_table, jobs_table, models_table
from app.datasets import queries
from app.datasets.loose_files import bound, loose
from app.datasets.versions import DatasetVersions

BATCH = 200
# Whoever pins a version writes it into the row of a job within this time.
PIN_SECONDS = 60.0

_column = dataset_versions_table.c
_OF_JOB = sa.and_(
    jobs_table.c.dataset_id == _column.dataset_id, jobs_table.c.dataset_version == _column.version
)
_OF_MODEL = sa.and_(
    models_table.c.dataset_id == _column.dataset_id,
    models_table.c.dataset_version == _column.version,
)


def delete_dataset(versions: DatasetVersions, dataset_id: str, by: Actor = SYSTEM) -> bool:
    """Delete a data set with all its versions and grants; return False if there was none.

    Versions of jobs that have not ended stay until these end. The object is deleted first, so that
    a caller who asks for the data set finds either a version, which it may keep, or nothing. If
    that fails, nothing has changed. If the database fails after it, a second call does the rest.
    """
    engine = versions.engine
    if versions.store.find(dataset_id) is None and not queries.is_known(engine, dataset_id):
        return False
    begin(engine, by, Action.DELETE, Thing.DATASET, dataset_id)
    versions.store.delete(dataset_id)
    queries.delete_versions(engine, dataset_id)
    with suppress(errors.StorageUnavailable):  # the sweeper deletes the others
        _delete(versions, _column.dataset_id == dataset_id, age=PIN_SECONDS, batch=BATCH)
    return True


def delete_unneeded_versions(versions: DatasetVersions, age: float, batch: int = BATCH) -> int:
    """Delete at most `batch` versions that no job or model names; return how many.

    The current version of each data set stays, and so does one that was used less than `age`
    seconds ago. The version of a deleted data set only stays for jobs that have not ended.
    """
    return _delete(versions, sa.true(), age=age, batch=batch)


def _delete(
    versions: DatasetVersions, which: sa.ColumnElement[bool], *, age: float, batch: int
) -> int:
    """Delete rows, then their files; the sweeper deletes a file that is left behind.

    The DELETE itself compares the time of the last use, so that it deletes no version that was
    pinned meanwhile.
    """
    with connect(versions.engine) as connection:
        unused = read_time(connection, -age)
        unpinned = read_time(connection, -PIN_SECONDS)
        is_old = sa.case(
            (_column.deleted_at.is_(None), _column.pinned_at < unused),
            else_=_column.pinned_at < unpinned,
        )
        replaced = sa.and_(
            _column.deleted_at.is_(None),
            _column.etag.is_(None),
            ~sa.exists().where(_OF_JOB),
            ~sa.exists().where(_OF_MODEL),
        )
        deleted = sa.and_(
            _column.deleted_at.is_not(None),
            ~sa.exists().where(_OF_JOB, jobs_table.c.ended_at.is_(None)),
        )
        found = sa.select(_column.dataset_id, _column.version)
        found = found.where(which, is_old, replaced | deleted).limit(batch)
        delete = (
            sa.delete(dataset_versions_table)
            .where(sa.tuple_(_column.dataset_id, _column.version).in_(found), is_old)
            .returning(_column.file_key)
        )
    with transaction(versions.engine) as connection:
        keys = connection.scalars(delete).all()
        for key in keys:
            connection.execute(loose(key))
    for key in keys:
        versions.files.delete(key)
    if keys:
        with connect(versions.engine) as connection:
            connection.execute(bound(keys))
    return len(keys)
