"""Where the answers of shadows differ, by feature: to which every producer adds."""

import sqlalchemy as sa

from app.database.engine import connect, transaction
from app.database.name_tables import shadow_counts_table
from app.models.feature_counts import FeatureCounts, Features, added
from app.models.shadow_counts import Pair

_column = shadow_counts_table.c


def add_features(engine: sa.Engine, pair: Pair, features: Features) -> None:
    """Add to the counts by feature of two versions that have counts; else do nothing.

    Raises `errors.DatabaseUnavailable`.
    """
    this = [_column[key] == value for key, value in pair._asdict().items()]
    update = sa.update(shadow_counts_table).where(*this)
    with transaction(engine) as connection:
        # The first write holds the row, so that no other producer adds to it meanwhile.
        if not connection.execute(update.values(calls=_column.calls)).rowcount:
            return
        before = _read(connection, pair) or {}
        sums = {name: each.to_json() for name, each in added(before, features).items()}
        connection.execute(update.values(features=sums))


def read_features(engine: sa.Engine, pair: Pair) -> Features | None:
    """Return the counts by feature of two versions, None if there are none."""
    with connect(engine) as connection:
        return _read(connection, pair)


def _read(connection: sa.Connection, pair: Pair) -> Features | None:
    this = [_column[key] == value for key, value in pair._asdict().items()]
    found = connection.scalar(sa.select(_column.features).where(*this))
    return found and {name: FeatureCounts.from_json(each) for name, each in found.items()}
