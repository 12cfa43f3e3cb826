"""Which jobs are deleted, on a database of each kind."""

import pytest
import sqlalchemy as sa

from app import errors
from app.database.tables import jobs_table
from app.jobs.parts import forget_parts
from app.jobs.retention import Retention, delete_old_jobs
from app.jobs.store import JobStore
from app.models.registry import CachedModelRegistry
from app.protocol.types import JobKind, JobStatus
from tests.support.rows import ANSWER, RESULT, accept, complete_as_before, put, run

DAY = 86_400
ALL = Retention(days=1000, jobs=1000, size=10**9)


def ended(store, *days_ago, size=0):
    """Write cancelled jobs that are named after the days since their end."""
    for days in days_ago:
        store.cancel(accept(store, f"{days} days", kind=JobKind.PREDICT))
        put(store, f"{days} days", ended_at=-days * DAY, size=size)


def left(store):
    return {job.id for job in store.newest(1000)}


@pytest.mark.parametrize(
    ("keep", "kept"),
    [
        (ALL, {"1 days", "2 days", "3 days", "4 days"}),
        (Retention(days=2.5, jobs=1000, size=10**9), {"1 days", "2 days"}),
        (Retention(days=1000, jobs=3, size=10**9), {"1 days", "2 days", "3 days"}),
        (Retention(days=1000, jobs=1000, size=250), {"1 days", "2 days"}),
        (Retention(days=1000, jobs=1000, size=99), set()),
        (Retention(days=0.5, jobs=1000, size=10**9), set()),
    ],
)
@pytest.mark.parametrize("batch", [1, 100])
def test_the_newest_are_kept_by_age_count_and_size(store, keep, kept, batch):
    ended(store, 3, 1, 4, 2, size=100)

    deleted = 0
    while found := delete_old_jobs(store.engine, keep, batch):
        assert found <= batch
        deleted += found

    assert left(store) == kept
    assert deleted == 4 - len(kept)


def test_what_has_not_ended_is_kept(store):
    run(store, "running")
    accept(store, "queued")
    accept(store, "predicts", kind=JobKind.PREDICT)
    put(store, created_at=-999 * DAY, started_at=-999 * DAY, published_at=-999 * DAY, size=10**6)

    assert delete_old_jobs(store.engine, Retention(days=0.001, jobs=1, size=1)) == 0

    assert left(store) == {"running", "queued", "predicts"}


def test_a_model_outlives_the_job_that_trained_it(store):
    assert store.complete_training("m", run(store), *RESULT)
    put(store, "m", ended_at=-2 * DAY)
    before = CachedModelRegistry(store).get("m")

    assert delete_old_jobs(store.engine, Retention(days=1, jobs=9, size=10**9)) == 1

    assert store.get("m") is None
    assert CachedModelRegistry(store).get("m") == before
    assert [each.model_id for each in CachedModelRegistry(store).newest(10)] == ["m"]


@pytest.mark.parametrize("named", [True, False])
def test_the_id_of_a_model_becomes_no_job_again(store, named):
    """Its files would be overwritten, because a folder is named after the id and the attempt."""
    assert store.complete_training("m", run(store), *RESULT)
    assert not store.create("m", JobKind.TRAIN, "d", {}, named=named)
    put(store, "m", ended_at=-2 * DAY)
    delete_old_jobs(store.engine, Retention(days=1, jobs=9, size=10**9))

    with pytest.raises(errors.Conflict, match="m is taken"):
        store.create("m", JobKind.TRAIN, "d", {}, named=named)


def test_a_training_of_an_older_consumer_is_kept_until_its_model_has_a_row(store):
    complete_as_before(store, "m")
    ended(store, 1)
    put(store, "m", ended_at=-9 * DAY)

    assert delete_old_jobs(store.engine, Retention(days=0.5, jobs=9, size=10**9)) == 1

    assert left(store) == {"m"}


def test_an_idempotency_key_is_free_again(store):
    store.cancel(accept(store, "first", idempotency_key="k"))
    put(store, "first", ended_at=-2 * DAY)
    delete_old_jobs(store.engine, Retention(days=1, jobs=9, size=10**9))

    accept(store, "second", idempotency_key="k")

    assert store.of_key("k").id == "second"


def test_two_may_delete_at_a_time(store):
    ended(store, 1, 2, 3)
    keep = Retention(days=0.5, jobs=9, size=10**9)

    assert delete_old_jobs(store.engine, keep) == 3
    assert delete_old_jobs(store.engine, keep) == 0


def test_the_size_of_an_ended_job_is_that_of_what_it_keeps(store):
    inputs = "x" * 1000
    for name in ("done", "cancelled", "older", "failed"):
        accept(store, name, kind=JobKind.PREDICT, inputs=inputs, size=len(inputs) + 50)
    put(store, "older", size=0)
    store.cancel("cancelled")
    store.cancel("older")
    for _ in range(4):  # the last failure ends the job
        assert store.get("failed").size == 1050
        store.refuse("failed", {"type": "unavailable"}, 0.0)
    result = {**ANSWER, "prediction": "y" * 5000}
    assert store.complete_prediction("done", store.claim("done", "w"), result)

    assert store.get("cancelled").size == 50
    assert store.get("failed").size == 50
    assert 5050 < store.get("done").size < 5200
    assert store.get("older").size == 0
    assert store.get("done").state is JobStatus.COMPLETED


def test_the_jobs_to_delete_are_found_by_an_index(sqlite_url):
    asked = []
    store = JobStore(sqlite_url)
    ended(store, 1)
    sa.event.listen(store.engine, "before_cursor_execute", lambda *told: asked.append(told[2:4]))
    delete_old_jobs(store.engine, ALL)
    queries = [each for each in asked if f"FROM {jobs_table.name}" in each[0]]
    with store.engine.connect() as connection:
        plans = [
            connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", values).first()[3]
            for statement, values in queries
        ]
    store.close()
    assert plans == [
        "SEARCH jobs USING COVERING INDEX ix_jobs_ended_at (ended_at>?)",
        "SEARCH jobs USING INDEX ix_jobs_ended_at (ended_at>?)",
    ]


def test_the_files_of_a_batch_job_are_deleted_before_its_row(store):
    assert store.create("b", JobKind.BATCH, "d", {}, folder="batch/b/")
    assert store.cancel("b")
    put(store, "b", ended_at=-2 * DAY)
    keep, asked = Retention(days=1, jobs=9, size=10**9), []
    assert delete_old_jobs(store.engine, keep, delete_results=asked.extend) == 0  # not cleaned up

    forget_parts(store.engine, "b")

    def away(_):
        raise errors.StorageUnavailable

    with pytest.raises(errors.StorageUnavailable):
        delete_old_jobs(store.engine, keep, delete_results=away)
    assert left(store) == {"b"}
    assert delete_old_jobs(store.engine, keep, delete_results=asked.extend) == 1
    assert asked == ["b"]
