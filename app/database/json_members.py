"""Members of a column with a JSON object, as SQL reads them.

PostgreSQL refuses to read any member of an object in which a text has a NUL or half a character,
so one such row would refuse the whole list. They are taken out before.
"""

from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement

# In JSON text: an escaped backslash or a whole pair, which stay, or what PostgreSQL cannot read.
_TOKENS = r"(\\\\|\\ud[89ab][0-9a-f]{2}\\ud[c-f][0-9a-f]{2})|\\u0000|\\ud[89a-f][0-9a-f]{2}"
_MARKS = (r"\u0000", r"\ud")  # one of them is in each text that has such a character


class json_text(FunctionElement[str]):  # noqa: N801  because it is used as a function
    """The text that a member has, null if there is none; other values as their JSON."""

    type = sa.Text()
    inherit_cache = True

    def __init__(self, column: sa.ColumnElement[Any], name: str) -> None:
        """Create the expression for the member `name`, a word."""
        super().__init__(column, sa.literal(name, sa.Text))


@compiles(json_text, "sqlite")
def _text_sqlite(element: Any, compiler: Any, **options: Any) -> str:
    column, name = (compiler.process(each, **options) for each in element.clauses)
    return f"json_extract({column}, '$.' || {name})"


@compiles(json_text, "postgresql")
def _text_postgresql(element: Any, compiler: Any, **options: Any) -> str:
    column, name = (compiler.process(each, **options) for each in element.clauses)
    text = f"CAST({column} AS TEXT)"
    is_odd = " OR ".join(f"strpos({text}, '{mark}') > 0" for mark in _MARKS)
    clean = f"CAST(regexp_replace({text}, '{_TOKENS}', '\\1', 'g') AS JSON)"
    return f"(CASE WHEN {is_odd} THEN {clean} ELSE {column} END ->> {name})"


def has_odd_text(column: sa.ColumnElement[Any]) -> sa.ColumnElement[bool]:
    """Return whether a text in a column's JSON may have a NUL or half a character.

    PostgreSQL reads no member of such an object, and SQLite cuts a text at its NUL. Whole pairs
    count, too. Null if the column is.
    """
    text = sa.cast(column, sa.Text)
    return sa.or_(*(text.contains(mark, autoescape=True) for mark in _MARKS))


def json_number(column: sa.ColumnElement[Any], name: str) -> sa.ColumnElement[float]:
    """Return a member of a column with a JSON object of numbers; null if there is none."""
    value: sa.ColumnElement[float] = column[name].as_float()
    return value
