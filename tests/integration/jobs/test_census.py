import pytest

from app import errors
from app.database.engine import create_engine
from app.jobs.census import take_census
from app.protocol.types import JobKind
from tests.support.rows import RESULT, accept, put, run


def test_jobs_are_counted_by_state_and_kind(store):
    accept(store, "a")
    accept(store, "b", kind=JobKind.PREDICT)
    store.complete_training("c", run(store, "c"), *RESULT)

    counts = take_census(store.engine).counts
    assert len(counts) == 5 * len(JobKind)
    assert {key: count for key, count in counts.items() if count} == {
        ("TASK_QUEUED", "train"): 1,
        ("TASK_QUEUED", "predict"): 1,
        ("TASK_COMPLETED", "train"): 1,
    }


def test_a_job_that_waits_for_its_next_attempt_is_not_the_oldest_one(store):
    store.retry("later", run(store, "later"), {"type": "unavailable"}, 3600.0)

    found = take_census(store.engine)
    assert found.delayed == {"train": 1, "predict": 0, "batch": 0, "part": 0}
    assert set(found.oldest.values()) == {0.0}

    accept(store, "now")
    put(store, "now", created_at=-100_000.0)
    found = take_census(store.engine)
    assert found.delayed["train"] == 1
    assert found.oldest["train"] > 86_400


def test_without_the_table_the_database_is_unavailable(tmp_path):
    engine = create_engine(f"sqlite:///{tmp_path}/empty.db")

    with pytest.raises(errors.DatabaseUnavailable):
        take_census(engine)
    engine.dispose()
