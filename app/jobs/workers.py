"""The consumers that are heard of: each writes a row of the table `workers` every ten seconds.

The row tells what runs where, and is for people. Whether a consumer is lost for its jobs is found
out sooner, by `lost_consumers.py`.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime

import sqlalchemy as sa

from app.database.engine import connect, database_now
from app.database.tables import workers_table

BEAT_SECONDS = 10.0
LOST_SECONDS = 35.0  # three beats, and time for the last one
KEEP_SECONDS = 3600.0  # how long a lost consumer is shown


@dataclass(frozen=True)
class Worker:
    """What a consumer says of itself; `memory` are the resident bytes with those of its children.

    `name` is that of its workers in the job table, without what they have behind the last colon.
    """

    name: str
    host: str
    pid: int
    version: str
    python: str
    threads: int
    jobs: int  # that it has in hand
    memory: int
    unacknowledged: Mapping[str, int] | None  # deliveries by queue; None from an older consumer


@dataclass(frozen=True)
class Unacknowledged:
    """The deliveries that all consumers hold, by queue, as they told `seconds_ago` at most.

    `untold` counts the consumers of older versions, which do not tell.
    """

    queues: Mapping[str, int]
    seconds_ago: float | None  # None without a consumer that tells
    untold: int


@dataclass(frozen=True)
class KnownWorker(Worker):
    """A consumer as others know it, which said this `seconds_ago`."""

    started_at: datetime
    seconds_ago: float

    @property
    def state(self) -> str:
        """Return `lost` if it has been silent for too long, else `alive`."""
        return "lost" if self.seconds_ago > LOST_SECONDS else "alive"


def report(engine: sa.Engine, worker: Worker) -> None:
    """Write what a consumer says of itself. Raises `errors.DatabaseUnavailable`."""
    said, column = asdict(worker), workers_table.c
    update = sa.update(workers_table).where(column.name == worker.name)
    now = database_now()
    with connect(engine) as connection:
        if connection.execute(update.values(**said, seen_at=now)).rowcount == 0:
            connection.execute(sa.insert(workers_table).values(**said, started_at=now, seen_at=now))


def leave(engine: sa.Engine, name: str) -> None:
    """Delete the row of a consumer that ends. Raises `errors.DatabaseUnavailable`."""
    with connect(engine) as connection:
        connection.execute(sa.delete(workers_table).where(workers_table.c.name == name))


def known_workers(engine: sa.Engine) -> list[KnownWorker]:
    """Return the consumers that are heard of, by name. Raises `errors.DatabaseUnavailable`."""
    query = sa.select(workers_table, database_now().label("now")).order_by(workers_table.c.name)
    with connect(engine) as connection:
        rows = [dict(row._mapping) for row in connection.execute(query)]
    found = []
    for row in rows:
        now, seen_at = row.pop("now"), row.pop("seen_at")
        found.append(KnownWorker(**row, seconds_ago=max(0.0, (now - seen_at).total_seconds())))
    return found


def unacknowledged(workers: Sequence[KnownWorker]) -> Unacknowledged:
    """Add up what the consumers that are alive hold; the broker delivers again what others held."""
    alive = [each for each in workers if each.state == "alive"]
    total = Counter[str]()
    for each in alive:
        total.update(each.unacknowledged or {})
    told = [each.seconds_ago for each in alive if each.unacknowledged is not None]
    return Unacknowledged(total, max(told, default=None), len(alive) - len(told))


def forget_lost(engine: sa.Engine) -> int:
    """Delete the consumers that are silent for `KEEP_SECONDS`; return how many there were."""
    silent = workers_table.c.seen_at < database_now(-KEEP_SECONDS)
    with connect(engine) as connection:
        return connection.execute(sa.delete(workers_table).where(silent)).rowcount
