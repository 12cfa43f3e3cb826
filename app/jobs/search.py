"""Conditions by which jobs are found: a text in them, or the name of the model they train or ask.

No index helps, so a search reads the owner's jobs in the order of the list until a page is full.
"""

import json

import sqlalchemy as sa

from app.auth.identity import DEFAULT_OWNER
from app.auth.names import SEPARATOR
from app.database.tables import jobs_table
from app.protocol.types import JobKind

_column = jobs_table.c
_MODELS = ("name", "model", "model_id", "sync_model_id")  # members of a request


def has_text(owner: str, text: str) -> sa.ColumnElement[bool]:
    """Return the condition that a job has a text somewhere that a person would look for.

    That is its id, data set, tags, error, or the name or id of a model. Upper and lower case do not
    differ; SQLite knows those of A to Z only. Names are searched as their owner has them.
    """
    models = (_column.request[name].as_string() for name in _MODELS)
    named = [_without(owner, each) for each in (_column.id, _column.dataset_id, *models)]
    error = _without(owner, sa.cast(_column.error, sa.Text))
    return sa.or_(
        *(each.icontains(text, autoescape=True) for each in (*named, _column.tags)),
        error.icontains(json.dumps(text)[1:-1], autoescape=True),
    )


def has_name(owner: str, name: str) -> sa.ColumnElement[bool]:
    """Return the condition that a training publishes under a name, or that a job asked by it.

    `name` is the qualified one.
    """
    own = name.removeprefix(f"{owner}{SEPARATOR}")
    trains = (_column.kind == JobKind.TRAIN) & (_column.request["name"].as_string() == own)
    asks = _column.request["model"].as_string().startswith(f"{name}:", autoescape=True)
    return sa.or_(trains, asks)


def _without(owner: str, column: sa.ColumnElement[str]) -> sa.ColumnElement[str]:
    """Return a text without the owner before the owner's own names."""
    return column if owner == DEFAULT_OWNER else sa.func.replace(column, f"{owner}{SEPARATOR}", "")
