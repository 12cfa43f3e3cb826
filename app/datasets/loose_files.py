"""Files that no version and no job has: those that are being stored, and those to delete.

A file gets a row before it is stored, so that nothing is left behind when a process is killed. The
bucket is never searched for files, because it may hold files of another database.
"""

from collections.abc import Collection

import sqlalchemy as sa

from app.database.engine import connect, database_now, read_time
from app.database.tables import jobs_table, loose_files_table
from app.storage.version_files import VersionFiles

BATCH = 200

_column = loose_files_table.c


def add_loose_file(engine: sa.Engine, key: str) -> None:
    """Insert a row for a file that is going to be stored, of a version or of a batch job."""
    with connect(engine) as connection:
        connection.execute(loose(key))


def loose(key: str) -> sa.Insert:
    """Return the INSERT of a file that no version has."""
    return sa.insert(loose_files_table).values(file_key=key, since=database_now())


def bound(keys: Collection[str]) -> sa.Delete:
    """Return the DELETE of the rows of files that have got a version, or are deleted."""
    return sa.delete(loose_files_table).where(_column.file_key.in_(keys))


def delete_loose_files(
    engine: sa.Engine, files: VersionFiles, age: float, batch: int = BATCH
) -> int:
    """Delete at most `batch` files without a version for `age` seconds; return how many.

    Those in the folder of a batch job stay until the job has ended.
    """
    with connect(engine) as connection:
        folder = jobs_table.c.folder
        needed = sa.exists().where(folder.is_not(None), _column.file_key.startswith(folder))
        old = sa.select(_column.file_key).where(
            _column.since < read_time(connection, -age), sa.not_(needed)
        )
        keys = connection.scalars(old.order_by(_column.since).limit(batch)).all()
    for key in keys:
        files.delete(key)
    if keys:
        with connect(engine) as connection:
            connection.execute(bound(keys))
    return len(keys)
