"""No query reads more of the tables when there are more finished jobs and models in them."""

import uuid
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest
import sqlalchemy as sa

from app import errors
from app.database.tables import jobs_table, models_table
from app.jobs import outbox
from app.jobs.attempt_list import attempts_of
from app.jobs.quotas import JobQuotas, KeyQuota
from app.jobs.store import JobStore
from app.jobs.usage import JobUsage
from app.models.queries import read_newest_ids
from app.models.registry import CachedModelRegistry
from app.protocol.types import LATEST, JobKind, JobStatus
from tests.conftest import migrate
from tests.support import history
from tests.support.postgres import Postgres
from tests.support.rows import CALLS, REQUEST

JOBS, MODELS = 20_000, 4_000
WAITING = [f"waiting-{n}" for n in range(3)]
MOST_STEPS = 5_000  # of SQLite's virtual machine: a read of all models takes more than 20,000
MOST_ROWS = 500  # that PostgreSQL visits
OF_KEY = JobQuotas(of_key=KeyQuota("nightly", 9))
KINDS = ("SELECT", "UPDATE", "INSERT", "WITH")  # of statements

QUERIES: dict[str, Callable[[JobStore], Any]] = {
    **CALLS,
    **{f"newest {each}": lambda store, each=each: store.newest(10, each) for each in JobStatus},
    "latest job": lambda store: store.show(LATEST),
    "position": lambda store: store.position(store.get(WAITING[2])),
    "trainings_of": lambda store: store.trainings_of(history.DATASET_ID, None, None, 3600),
    "take_unpublished": outbox.take_unpublished,
    "reconcile": lambda store: outbox.reconcile(store, dict.fromkeys(JobKind, 0)),
    "claim a waiting job": lambda store: store.claim(WAITING[0], "worker"),
    "renew it": lambda store: store.renew({(WAITING[0], 1): 0.5, (WAITING[1], 1): None}),
    "attempts": lambda store: attempts_of(store.engine, store.get(WAITING[0])),
    "release it": lambda store: store.release(WAITING[0], 1),
    "claim it again": lambda store: store.claim(WAITING[0], "worker"),
    "cancel it": lambda store: store.cancel(WAITING[0]),
    "refuse": lambda store: store.refuse(WAITING[1], {"type": "invalid"}, 1.0),
    "models of one": lambda store: CachedModelRegistry(store).newest(10, history.DATASET_ID),
    "models of no data set": lambda store: CachedModelRegistry(store).newest(10, "none"),
    "latest of a data set": lambda store: CachedModelRegistry(store).get(
        "latest", history.DATASET_ID
    ),
    "latest of no data set": lambda store: CachedModelRegistry(store).get("latest", "none"),
    "jobs of a key": lambda store: JobUsage(store.engine).take(OF_KEY, None, 1),
    "ids": lambda store: read_newest_ids(store.engine, "default", 10),
}  # fmt: skip


@pytest.fixture(scope="module", params=[True, False], ids=["statistics", "no statistics"])
def sqlite(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[JobStore, list[int]]]:
    """A store with a history, and a list that grows with each 10 steps of SQLite's machine."""
    url = migrate(f"sqlite:///{tmp_path_factory.mktemp('history')}/warren.db")
    store, steps = JobStore(url), list[int]()
    sa.event.listen(
        store.engine,
        "connect",
        lambda connection, _: connection.set_progress_handler(lambda: steps.append(10), 10),
    )
    written(store, statistics=request.param)
    yield store, steps
    store.close()


@pytest.fixture(scope="module")
def postgresql(postgres: Postgres) -> Iterator[tuple[JobStore, list[Any]]]:
    """A store with a history, and a list of the statements that are executed."""
    store, asked = JobStore(migrate(postgres.new_database())), list[Any]()
    written(store)
    sa.event.listen(store.engine, "before_cursor_execute", lambda *told: asked.append(told[2:4]))
    yield store, asked
    store.close()


def written(store: JobStore, *, statistics: bool = True) -> None:
    """Write the history and some jobs that wait."""
    history.fill(store.engine, JOBS, MODELS, statistics=statistics)
    for name in WAITING:
        assert store.create(name, JobKind.TRAIN, history.DATASET_ID, REQUEST)


@pytest.mark.parametrize("name", QUERIES)
def test_sqlite_takes_few_steps(sqlite: tuple[JobStore, list[int]], name: str) -> None:
    store, steps = sqlite
    steps.clear()

    with suppress(errors.WarrenError):
        QUERIES[name](store)

    assert sum(steps) < MOST_STEPS


@pytest.mark.parametrize("name", QUERIES)
def test_postgresql_visits_few_rows(postgresql: tuple[JobStore, list[Any]], name: str) -> None:
    store, asked = postgresql
    asked.clear()
    with suppress(errors.WarrenError):
        QUERIES[name](store)
    statements = [each for each in asked if each[0].startswith(KINDS)]
    assert statements
    with store.engine.connect() as connection:  # so that they can be executed again
        connection.execute(sa.delete(jobs_table).where(jobs_table.c.id == "n"))
        connection.execute(sa.delete(models_table).where(models_table.c.model_id == "n"))

    visited = [rows_visited(store.engine, *again(*each)) for each in statements]

    assert sum(visited) < MOST_ROWS


def again(statement: str, values: Any) -> tuple[str, Any]:
    """Give a row of the audit log, which nobody deletes, another id."""
    is_audit = statement.startswith("INSERT INTO audit")
    return statement, {**values, "id": uuid.uuid4().hex} if is_audit else values


def rows_visited(engine: sa.Engine, statement: str, values: Any) -> int:
    """Execute a statement, take it back, and return how many rows of tables it has looked at."""
    together = engine.execution_options(isolation_level="READ COMMITTED")
    with together.connect() as connection:
        explain = f"EXPLAIN (ANALYZE, FORMAT JSON) {statement}"
        (plan,) = connection.exec_driver_sql(explain, values).scalar_one()
        connection.rollback()
    return visited(plan["Plan"])


def visited(node: dict[str, Any]) -> int:
    """Return how many rows a node of a plan, and those below it, read from tables."""
    removed = ("Rows Removed by Filter", "Rows Removed by Index Recheck")
    rows = node["Actual Rows"] + sum(node.get(name, 0) for name in removed)
    own = rows * node["Actual Loops"] if "Scan" in node["Node Type"] else 0
    return int(own) + sum(map(visited, node.get("Plans", ())))
