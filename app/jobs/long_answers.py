"""Read the answers of prediction jobs as text, because parsing megabytes takes long."""

from typing import Any

import sqlalchemy as sa

from app.database.engine import connect
from app.database.tables import jobs_table

LONG_CHARACTERS = 100_000  # of an answer; longer ones are read alone
LISTED_CHARACTERS = 2_000  # of each JSON column of a job or model in a list


def read_answers(engine: sa.Engine, job_id: str) -> dict[str, str]:
    """Return the JSON of a job's answers, `result` and `sync`; `null` if there is none."""
    column = jobs_table.c
    texts = sa.select(
        *(sa.cast(each, sa.Text).label(each.name) for each in (column.result, column.sync))
    )
    with connect(engine) as connection:
        row = connection.execute(texts.where(column.id == job_id)).mappings().one()
    return {name: text or "null" for name, text in row.items()}


def read_predictions(engine: sa.Engine, job_id: str) -> tuple[Any, Any]:
    """Return the predictions of a job's answers, `sync` and `result`, without the rest of them."""
    column = jobs_table.c
    both = sa.select(column.sync["prediction"], column.result["prediction"])
    with connect(engine) as connection:
        fast, late = connection.execute(both.where(column.id == job_id)).one()
    return fast, late
