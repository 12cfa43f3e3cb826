"""Conditions by which jobs are found: a text in them, or the name of the model they train or ask.

No index helps, so a search reads the owner's jobs in the order of the list until a page is full.
"""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from app.auth.identity import DEFAULT_OWNER
from app.auth.names import SEPARATOR
from app.database.json_members import json_text
from app.database.tables import jobs_table
from app.protocol.types import JobKind

_column = jobs_table.c
_MODELS = ("name", "model", "model_id", "sync_model_id")  # members of a request


def has_text(owner: str, text: str) -> sa.ColumnElement[bool]:
    """Return the condition that a job has a text somewhere that a person would look for.

    That is its id, data set, tags, error, or the name or id of a model. Upper and lower case do not
    differ; SQLite knows those of A to Z only. Names are searched as their owner has them, and as
    they are inside if the text looks like that.
    """
    models = [json_text(_column.request, name) for name in _MODELS]
    names = [_column.id, _column.dataset_id]
    kind, detail = json_text(_column.error, "type"), json_text(_column.error, "detail")
    # No text has a line break, so that none is found in two tags together.
    searched = [sa.func.replace(_column.tags, "|", "\n"), kind, _without(owner, detail)]
    searched += [_own_name(owner, each) for each in names]
    asked = [_own_name(owner, each) for each in models]
    if SEPARATOR in text:
        searched += [*names, detail]
        asked += models
    is_asked = _has(asked, text)
    if _is_plain(text):
        is_asked = _has([sa.cast(_column.request, sa.Text)], text) & is_asked
    return _has(searched, text) | is_asked


def has_name(owner: str, name: str) -> sa.ColumnElement[bool]:
    """Return the condition that a training publishes under a name, or that a job asked by it.

    `name` is the qualified one. Upper and lower case differ.
    """
    own, asked = name.removeprefix(_prefix(owner)), f"{name}:"
    trains = (_column.kind == JobKind.TRAIN) & (json_text(_column.request, "name") == own)
    # LIKE would not tell upper from lower case on SQLite.
    asks = sa.func.substr(json_text(_column.request, "model"), 1, len(asked)) == asked
    return sa.cast(_column.request, sa.Text).contains(own, autoescape=True) & (trains | asks)


def _has(texts: Sequence[sa.ColumnElement[Any]], text: str) -> sa.ColumnElement[bool]:
    return sa.or_(*(each.icontains(text, autoescape=True) for each in texts))


def _is_plain(text: str) -> bool:
    """Tell whether JSON writes a text as it is.

    An object then has it in one of its members only if its JSON has it. To look there is quicker
    than to read the members.
    """
    return text.isascii() and not any(each in text for each in '"\\')


def _prefix(owner: str) -> str:
    return f"{owner}{SEPARATOR}"


def _own_name(owner: str, column: sa.ColumnElement[Any]) -> sa.ColumnElement[str]:
    """Return a name without the owner, if it is the owner's."""
    if owner == DEFAULT_OWNER:
        return column
    begin = len(_prefix(owner))
    is_own = sa.func.substr(column, 1, begin) == _prefix(owner)
    return sa.case((is_own, sa.func.substr(column, begin + 1)), else_=column)


def _without(owner: str, column: sa.ColumnElement[str]) -> sa.ColumnElement[str]:
    """Return a text without the owner before the owner's own names."""
    return column if owner == DEFAULT_OWNER else sa.func.replace(column, _prefix(owner), "")
