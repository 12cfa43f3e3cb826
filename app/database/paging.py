"""Read a table page by page, in the order of one column.

The cursor of a page is the place of its last row, so a row that is inserted meanwhile moves none.
"""

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from math import isfinite
from typing import Any

import sqlalchemy as sa

from app import errors
from app.database.json_members import json_number
from app.database.tables import UtcDateTime
from app.protocol.metric_condition import METRICS
from app.protocol.wording import quoted


@dataclass(frozen=True)
class Page:
    """Which part of a list is asked for: at most `limit` rows, behind those of a `cursor`.

    `sort` is the name of what the rows are sorted by, behind a minus if the largest comes first.
    """

    limit: int
    sort: str
    cursor: str | None = None

    @property
    def descending(self) -> bool:
        """Whether the largest comes first."""
        return self.sort.startswith("-")

    @property
    def by(self) -> str:
        """The name of what the rows are sorted by."""
        return self.sort.removeprefix("-")

    def following(self, value: Any, key: str) -> str:
        """Return the cursor behind a row: its `value`, by which it is sorted, and its key."""
        shown = value.isoformat() if isinstance(value, datetime) else value
        return urlsafe_b64encode(json.dumps([self.sort, shown, key]).encode()).decode()

    def after(self) -> tuple[Any, str] | None:
        """Return the place behind which the page begins; times are texts.

        Raises `errors.Invalid` for a cursor that is not one of a list sorted like this.
        """
        if self.cursor is None:
            return None
        try:
            sort, value, key = json.loads(urlsafe_b64decode(self.cursor))
        except (ValueError, TypeError, RecursionError):
            raise _not_ours() from None
        # A database takes no text with half a character or a NUL, and no list shows one.
        if not all(
            isinstance(each, str) and each.isprintable() for each in (sort, str(value), key)
        ):
            raise _not_ours()
        if sort != self.sort:
            detail = f"it belongs to a list that is sorted by {quoted(sort)}"
            raise errors.Invalid("cursor", detail)
        return value, key


def _not_ours() -> errors.Invalid:
    return errors.Invalid("cursor", "use the cursor of the page before, as it was returned")


SORTED_BY = "sorted_by"  # the label of the column that `select_page` adds


def select_page(
    query: sa.Select[Any],
    value: sa.ColumnElement[Any],
    key: sa.ColumnElement[str],
    page: Page,
) -> sa.Select[Any]:
    """Return the query of a page and of one more row, which tells that another page follows.

    `value` is what rows are sorted by, then by their unique `key`. Rows without a value are left
    out. Raises `errors.Invalid` for the cursor.
    """
    if getattr(value, "nullable", True):
        query = query.where(value.is_not(None))
    if place := page.after():
        last = sa.tuple_(sa.literal(_parsed(place[0], value), value.type), sa.literal(place[1]))
        this = sa.tuple_(value, key)
        query = query.where(this < last if page.descending else this > last)
    order = (value.desc(), key.desc()) if page.descending else (value, key)
    return query.add_columns(value.label(SORTED_BY)).order_by(*order).limit(page.limit + 1)


def _parsed(value: Any, column: sa.ColumnElement[Any]) -> Any:
    """Return a cursor's value as the column has it."""
    try:
        if isinstance(column.type, UtcDateTime):
            time = datetime.fromisoformat(value)
            if time.tzinfo is None:
                raise _not_ours()
            return time
        if isinstance(column.type, sa.Integer):
            if not isinstance(value, int) or isinstance(value, bool) or abs(value) >= 2**31:
                raise _not_ours()
            return value
        if isinstance(column.type, sa.Float):
            number = float(value)
            if isinstance(value, bool | str) or not isfinite(number):
                raise _not_ours()
            return number
    except (TypeError, ValueError, OverflowError):
        raise _not_ours() from None
    if not isinstance(value, str):
        raise _not_ours()
    return value


def sort_column(
    columns: Mapping[str, sa.ColumnElement[Any]], metrics: sa.ColumnElement[Any], page: Page
) -> sa.ColumnElement[Any]:
    """Return what a page is sorted by: one of the `columns`, or a metric by its name."""
    if page.by in columns:
        return columns[page.by]
    return json_number(metrics, page.by.removeprefix(METRICS))


def has_tag(column: sa.ColumnElement[Any], tag: str) -> sa.ColumnElement[bool]:
    """Return whether a column of tags has one; upper and lower case differ, unlike with LIKE."""
    return sa.func.replace(column, f"|{tag}|", "") != column
