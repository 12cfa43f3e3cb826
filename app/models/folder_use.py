"""Which folders of model files the database still needs."""

from collections.abc import Mapping

import sqlalchemy as sa

from app.database.engine import connect
from app.database.tables import jobs_table, models_table


def unneeded_folders(engine: sa.Engine, folders: Mapping[str, str]) -> set[str]:
    """Return the keys of folders that no model has or will have; `folders` maps keys to model ids.

    A job that has not ended needs all its folders. A folder whose id this database does not know
    may belong to another one, so it is needed, too.
    """
    ids = set(folders.values())
    models = sa.select(models_table.c.model_id, models_table.c.file_key).where(
        models_table.c.model_id.in_(ids)
    )
    jobs = sa.select(jobs_table.c.id, jobs_table.c.ended_at, jobs_table.c.result_key).where(
        jobs_table.c.id.in_(ids)
    )
    with connect(engine) as connection:
        # Jobs first: one that completes between the two queries has not ended in the first.
        found = connection.execute(jobs).all()
        keys = {row.model_id: row.file_key for row in connection.execute(models)}
    known = {row.id for row in found} | keys.keys()
    needed = {row.result_key for row in found} | set(keys.values())
    unended = {row.id for row in found if row.ended_at is None}
    return {
        key
        for key, model_id in folders.items()
        if model_id in known - unended and key not in needed
    }
