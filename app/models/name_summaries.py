"""What lists of names show of each: its aliases and its shadow."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import sqlalchemy as sa

from app.database.engine import connect
from app.database.name_tables import aliases_table, shadows_table
from app.models.shadows import WantedShadow


@dataclass
class NameSummary:
    """The versions of a name by alias, and its shadow or None."""

    aliases: dict[str, int] = field(default_factory=dict)
    shadow: WantedShadow | None = None


def read_summaries(engine: sa.Engine, names: Sequence[str]) -> dict[str, NameSummary]:
    """Return the summary of each name. Raises `errors.DatabaseUnavailable`."""
    found = {name: NameSummary() for name in names}
    alias, shadow = aliases_table.c, shadows_table.c
    pointing = sa.select(alias.name, alias.alias, alias.version).where(alias.name.in_(names))
    mirrored = sa.select(shadow.name, shadow.alias, shadow.version, shadow.share)
    with connect(engine) as connection:
        for row in connection.execute(pointing.order_by(alias.alias)):
            found[row.name].aliases[row.alias] = row.version
        for name, *wanted in connection.execute(mirrored.where(shadow.name.in_(names))):
            found[name].shadow = WantedShadow(*wanted)
    return found
