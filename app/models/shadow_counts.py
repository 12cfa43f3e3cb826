"""How the answers of shadows compare: counts, to which every producer adds."""

from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from app.database.engine import connect, database_now, insert_unless
from app.database.name_tables import shadow_counts_table, shadows_table

MAX_SHOWN = 100  # pairs of versions of a name, the newest

_column, _shadow = shadow_counts_table.c, shadows_table.c
_SHOWN = [each for each in _column if each.name != "features"]  # which may be long


class Pair(NamedTuple):
    """The versions of a name that are compared: that of the alias, and that of the shadow."""

    name: str
    base_version: int
    version: int


@dataclass(frozen=True)
class Counts:
    """What was compared.

    `calls` were compared, `failed` are calls that the shadow did not answer, `dropped` those that
    were not sent. `disagreed` of the `rows` have another answer. `numbers` are the rows whose
    answers are numbers, `difference_sum` and `difference_max` their absolute differences.
    """

    calls: int = 0
    rows: int = 0
    disagreed: int = 0
    numbers: int = 0
    difference_sum: float = 0.0
    difference_max: float = 0.0
    failed: int = 0
    dropped: int = 0

    def __add__(self, other: "Counts") -> "Counts":
        mine, more = vars(self), vars(other)
        largest = max(self.difference_max, other.difference_max)
        return Counts(**{n: mine[n] + more[n] for n in mine} | {"difference_max": largest})

    @property
    def difference_mean(self) -> float | None:
        """The mean of the absolute differences, None without numbers."""
        return self.difference_sum / self.numbers if self.numbers else None


@dataclass(frozen=True)
class Compared:
    """The counts of two versions, since when and until when."""

    pair: Pair
    counts: Counts
    created_at: datetime
    updated_at: datetime


def add_counts(engine: sa.Engine, pair: Pair, counts: Counts) -> None:
    """Add to the counts of two versions; do nothing if that version is no shadow any more.

    Raises `errors.DatabaseUnavailable`.
    """
    this = [_column[key] == value for key, value in pair._asdict().items()]
    added = {name: _column[name] + value for name, value in vars(counts).items()}
    added["difference_max"] = sa.case(
        (_column.difference_max < counts.difference_max, counts.difference_max),
        else_=_column.difference_max,
    )
    update = sa.update(shadow_counts_table).where(*this)
    update = update.values(**added, updated_at=database_now())
    times = {"created_at": database_now(), "updated_at": database_now()}
    is_shadow = sa.exists().where(_shadow.name == pair.name, _shadow.version == pair.version)
    insert = insert_unless(
        shadow_counts_table, {**pair._asdict(), **vars(counts), **times}, ~is_shadow
    )
    with connect(engine) as connection:
        if connection.execute(update).rowcount:
            return
        try:
            connection.execute(insert)
        except IntegrityError:  # another producer has inserted the row meanwhile
            connection.execute(update)


def read_counts(engine: sa.Engine, name: str) -> list[Compared]:
    """Return what was compared of a name, what was added to last first, at most `MAX_SHOWN`."""
    query = sa.select(*_SHOWN).where(_column.name == name)
    newest = (_column.updated_at.desc(), _column.base_version.desc(), _column.version.desc())
    with connect(engine) as connection:
        rows = connection.execute(query.order_by(*newest).limit(MAX_SHOWN)).mappings().all()
    return [
        Compared(
            Pair(row["name"], row["base_version"], row["version"]),
            Counts(**{each: row[each] for each in vars(Counts())}),
            row["created_at"],
            row["updated_at"],
        )
        for row in rows
    ]
