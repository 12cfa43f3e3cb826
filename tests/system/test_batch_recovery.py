"""Consumers that are killed while they split, score or join: the result has the same bytes."""

import hashlib
from collections.abc import Callable

import httpx2
import numpy as np
import pandas as pd
import pytest
import sqlalchemy as sa

from app.database.tables import jobs_table
from app.protocol.types import JobKind, JobStatus
from tests.system.support.client import job, reached, trained, upload
from tests.system.support.processes import ALONE, Process, Stack, consumes, until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

# Whoever waits for the lease of a dead consumer to end waits for longer than a test lasts.
SETTINGS = {"LEASE_SECONDS": "3600"}
COLUMNS = ["age", "bmi", "bp", "s1", "s2", "s3", "s4", "s5", "s6"]
ROWS, PARTS = 200_000, 4


@pytest.fixture(scope="module")
def http(world: Stack) -> httpx2.Client:
    _, http = world.producer(**SETTINGS)
    return http


@pytest.fixture(scope="module")
def consumers(world: Stack, http: httpx2.Client) -> list[Process]:
    return started(world, 2)


@pytest.fixture(scope="module")
def undisturbed(http: httpx2.Client, consumers: list[Process]) -> tuple[str, str]:
    """Return the id of a model whose parts take seconds, and the sha256 of the result."""
    upload(http)
    model_id = trained(http, params={"n_estimators": 30, "max_depth": None})
    values = np.random.default_rng(0).normal(0, 0.05, (ROWS, len(COLUMNS))).round(6)
    frame = pd.DataFrame(values, columns=COLUMNS)
    frame.insert(0, "id", range(ROWS))
    upload(http, "rows", frame.to_csv(index=False))
    return model_id, ended(http, batch(http, model_id))


def started(world: Stack, count: int) -> list[Process]:
    found = [world.start(ALONE, **SETTINGS) for _ in range(count)]
    for each in found:
        consumes(each, 1)
    return found


def batch(http: httpx2.Client, model_id: str) -> str:
    body = {"model_id": model_id, "dataset_id": "rows", "columns": ["id"]}
    answer = http.post("/predict/batch", json=body)
    assert answer.status_code == 202, answer.text
    return str(answer.json()["message"]["job_id"])


def ended(http: httpx2.Client, job_id: str) -> str:
    """Wait for the end of a batch job; return the sha256 of its result, which has all rows once."""
    found = reached(http, job_id, "TASK_COMPLETED")
    assert found["result"]["scored"] == ROWS
    content = http.get(f"/jobs/{job_id}/result").content
    ids = [line.partition(b",")[0] for line in content.splitlines()[1:]]
    assert ids == [b"%d" % number for number in range(ROWS)]
    return hashlib.sha256(content).hexdigest()


class Rows:
    """The rows of the job table, as no client sees them."""

    def __init__(self, world: Stack) -> None:
        self._engine = sa.create_engine(world.environment["DATABASE_URL"])

    def workers(self, job_id: str, *which: sa.ColumnElement[bool]) -> list[str]:
        """Return who runs the rows of a job."""
        column = jobs_table.c
        mine = (column.id == job_id) | (column.parent == job_id)
        running = (mine, column.state == JobStatus.RUNNING, column.worker.contains(":"))
        with self._engine.connect() as connection:
            return list(connection.scalars(sa.select(column.worker).where(*running, *which)))

    def completed(self, job_id: str) -> int:
        """Return how many parts of a job are scored."""
        done = (jobs_table.c.parent == job_id, jobs_table.c.state == JobStatus.COMPLETED)
        with self._engine.connect() as connection:
            return connection.scalar(sa.select(sa.func.count()).where(*done)) or 0


def splits(rows: Rows, job_id: str) -> list[str]:
    return rows.workers(job_id, jobs_table.c.kind == JobKind.BATCH, jobs_table.c.parts.is_(None))


def scores(rows: Rows, job_id: str) -> list[str]:
    return rows.workers(job_id, jobs_table.c.kind == JobKind.PART)


def scores_with_some_done(rows: Rows, job_id: str) -> list[str]:
    return scores(rows, job_id) if rows.completed(job_id) else []


def joins(rows: Rows, job_id: str) -> list[str]:
    return rows.workers(job_id, jobs_table.c.kind == JobKind.BATCH, jobs_table.c.parts.is_not(None))


@pytest.mark.parametrize("phase", [splits, scores, scores_with_some_done, joins])
def test_a_consumer_that_is_killed_changes_no_byte(
    phase: Callable[[Rows, str], list[str]],
    world: Stack,
    http: httpx2.Client,
    consumers: list[Process],
    undisturbed: tuple[str, str],
) -> None:
    model_id, wanted = undisturbed
    rows = Rows(world)
    job_id = batch(http, model_id)

    worker = until(lambda: phase(rows, job_id), f"a consumer {phase.__name__}")[0]
    pid = int(worker.split(":")[1])
    (killed,) = [each for each in consumers if each.pid == pid]
    killed.kill()
    consumers.remove(killed)
    consumers += started(world, 1)

    assert ended(http, job_id) == wanted
    found = job(http, job_id)
    assert found["parts"] == PARTS


def test_all_consumers_may_be_killed(
    world: Stack,
    http: httpx2.Client,
    consumers: list[Process],
    undisturbed: tuple[str, str],
) -> None:
    model_id, wanted = undisturbed
    rows = Rows(world)
    job_id = batch(http, model_id)
    for count in (1, 2):
        until(lambda count=count: rows.completed(job_id) >= count, f"{count} parts are scored")
        for each in consumers:
            each.kill()
        consumers[:] = started(world, 2)

    assert ended(http, job_id) == wanted
