"""Lists, states and claims with a long history of finished jobs, on SQLite and PostgreSQL."""

import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from functools import partial
from statistics import median
from typing import Any

import httpx2

from app.jobs import outbox
from app.jobs.model_publication import publish_missing_models
from app.jobs.store import JobStore
from app.models.registry import CachedModelRegistry
from app.protocol.types import LATEST, JobKind
from benchmarks.harness.servers import Bench
from benchmarks.reporting.figures import shown
from devstack.stack import migrate
from tests.support import history
from tests.support.postgres import Postgres

NAME = "history"

SIZES = (1_000, 500_000)
JOBS_PER_MODEL = 10
TIMES = 21
PATHS = (
    "/jobs",
    "/jobs?state=TASK_COMPLETED",
    "/jobs?state=TASK_ERROR",
    "/jobs?state=TASK_RUNNING",
    f"/jobs/history-{JOBS_PER_MODEL}",
    "/models",
    f"/models?dataset_id={history.DATASET_ID}",
)


def run(bench: Bench) -> list[dict[str, Any]]:
    """Measure each call with few and with many finished jobs; a tenth of them has a model."""
    rows: dict[str, dict[str, Any]] = defaultdict(dict)
    with Postgres(bench.folder) as postgres:
        for jobs in SIZES:
            sqlite = f"sqlite:///{bench.folder}/history-{jobs}.db"
            for name, url in {"SQLite": sqlite, "PostgreSQL": postgres.new_database()}.items():
                migrate({"DATABASE_URL": url})
                for call, seconds in measure(bench, url, jobs):
                    rows[call]["ms, median"] = call
                    rows[call][f"{name}, {jobs:,} jobs"] = round(1000 * seconds, 1)
    return [shown(row) for row in rows.values()]


def measure(bench: Bench, url: str, jobs: int) -> Iterator[tuple[str, float]]:
    """Yield the calls with their medians in seconds; those of HTTP are answered by a producer."""
    store = JobStore(url)
    history.fill(store.engine, jobs, jobs // JOBS_PER_MODEL)
    for call, work in direct(store).items():
        yield call, timed(work)
    store.close()
    with (
        bench.stack(DATABASE_URL=url, KEEP_JOB_DAYS="10000") as stack,
        httpx2.Client(base_url=stack.url) as http,
    ):
        for path in PATHS:
            yield f"GET {path}", timed(partial(get, http, path))


def get(http: httpx2.Client, path: str) -> None:
    """Get a path. Raises for an answer that is no success."""
    http.get(path).raise_for_status()


def direct(store: JobStore) -> dict[str, Callable[[], Any]]:
    """Return the calls that processes make by themselves, on new jobs beside the finished ones."""
    numbers = iter(range(TIMES))
    waiting = [f"waiting-{number}" for number in range(TIMES)]
    for job_id in waiting:
        store.create(job_id, JobKind.TRAIN, history.DATASET_ID, history.REQUEST)
    held = dict.fromkeys(((job_id, 1) for job_id in waiting[:4]), 0.5)
    result = ("models/m/1/", "a" * 64, {"rmse": 53.0}, history.FIT)
    ended, (last,) = iter(waiting), store.newest(1)
    return {
        "position in the queue": lambda: store.position(last),
        "claim": lambda: store.claim(waiting[next(numbers)], "worker"),
        "renewal of four leases": lambda: store.renew(held),
        "a round of the relay": lambda: relay(store),
        "end of a training": lambda: store.complete_training(next(ended), 1, *result),
        "`latest` of a data set": lambda: CachedModelRegistry(store).get(
            LATEST, history.DATASET_ID
        ),
        "search of an unnamed training": lambda: store.trainings_of(
            history.DATASET_ID, "someone", None, 3600
        ),
        "search of unpublished models": lambda: publish_missing_models(store.engine),
    }


def relay(store: JobStore) -> None:
    """Do what a round of the relay asks of the database."""
    store.requeue_expired_leases()
    outbox.reconcile(store, dict.fromkeys(JobKind, TIMES))
    outbox.take_unpublished(store)


def timed(work: Callable[[], Any]) -> float:
    """Return the median of the seconds that a call takes."""
    took = []
    for _ in range(TIMES):
        begun = time.perf_counter()
        work()
        took.append(time.perf_counter() - begun)
    return median(took)
