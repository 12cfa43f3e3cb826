"""Read the answers of prediction jobs as text, because parsing megabytes takes long."""

import json
from typing import Any

import sqlalchemy as sa

from app.database.engine import connect
from app.database.json_members import has_odd_text
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
    """Return the predictions of a job's answers, `sync` and `result`, without the rest of them.

    Only an answer of which the database cannot read a member is parsed here.
    """
    column = jobs_table.c
    parts = [part for each in (column.sync, column.result) for part in _prediction(each)]
    with connect(engine) as connection:
        fast, odd_fast, late, odd_late = connection.execute(
            sa.select(*parts).where(column.id == job_id)
        ).one()
    return _parsed(fast, odd_fast), _parsed(late, odd_late)


def _prediction(column: sa.ColumnElement[Any]) -> tuple[sa.ColumnElement[Any], ...]:
    """Return the prediction of an answer; if that cannot be read, the text of the whole answer."""
    is_odd = has_odd_text(column)
    return sa.case((~is_odd, column["prediction"])), sa.case((is_odd, sa.cast(column, sa.Text)))


def _parsed(prediction: Any, odd: str | None) -> Any:
    return prediction if odd is None else json.loads(odd)["prediction"]
