import pytest

from app import errors
from app.messages import Status
from tests.integration.rows import ERROR, RESULT, accept, put, run, wait_for_the_clock


def test_the_newest_come_first(store):
    for n in range(5):
        accept(store, f"job-{n}")
        wait_for_the_clock(store)

    assert [job.id for job in store.newest(3)] == ["job-4", "job-3", "job-2"]
    assert len(store.newest(100)) == 5


def test_the_newest_may_be_of_one_state(store):
    store.complete("done", run(store, "done"), *RESULT)
    run(store, "running")
    accept(store, "queued")
    accept(store, "cancelled")
    store.cancel("cancelled")

    assert [job.id for job in store.newest(10, Status.COMPLETED)] == ["done"]
    assert [job.id for job in store.newest(10, Status.RUNNING)] == ["running"]
    assert [job.id for job in store.newest(10, Status.QUEUED)] == ["queued"]
    assert [job.id for job in store.newest(10, Status.CANCELLED)] == ["cancelled"]
    assert store.newest(10, Status.ERROR) == []


def test_a_job_is_found_by_its_key(store):
    accept(store, "one", idempotency_key="k1")
    accept(store, "two", idempotency_key="k2")
    accept(store, "three")

    assert store.of_key("k2").id == "two"
    assert store.of_key("K2") is None


def positions(store, *names):
    return [store.position(store.get(name)) for name in names]


def test_a_queued_job_has_its_place_in_the_queue(store):
    for name in ("zoe", "bob", "mia"):
        accept(store, name)
        wait_for_the_clock(store)

    assert positions(store, "zoe", "bob", "mia") == [1, 2, 3]


def test_jobs_of_one_moment_have_different_places(store):
    for name in ("zoe", "bob", "mia"):
        accept(store, name)
    put(store, created_at=-10)

    assert sorted(positions(store, "zoe", "bob", "mia")) == [1, 2, 3]


def test_only_who_waits_is_counted(store):
    for name in ("running", "done", "cancelled", "waiting", "last"):
        accept(store, name)
        wait_for_the_clock(store)
    store.claim("running", "worker", redelivered=False)
    store.complete("done", store.claim("done", "worker", redelivered=False), *RESULT)
    store.cancel("cancelled")

    assert positions(store, "waiting", "last") == [1, 2]


def test_a_completed_job_is_a_model(store):
    store.complete("m", run(store), *RESULT)

    assert store.model("m").result_key == "models/m/1/"


def test_a_model_that_nobody_trains_is_not_found(store):
    with pytest.raises(errors.NotFound, match="there is no model m") as caught:
        store.model("m")

    assert caught.value.extra["field"] == "model_id"


NOT_READY = {
    Status.QUEUED: lambda store: accept(store),
    Status.RUNNING: lambda store: run(store),
    Status.ERROR: lambda store: store.fail("m", run(store), ERROR),
    Status.CANCELLED: lambda store: store.cancel(accept(store)),
}


@pytest.mark.parametrize("state", NOT_READY)
def test_a_job_without_a_result_is_a_model_that_is_not_ready(store, state):
    NOT_READY[state](store)

    with pytest.raises(errors.NotReady) as caught:
        store.model("m")

    assert caught.value.extra["state"] == state
    assert str(state) in caught.value.detail
    assert ("no column a" in caught.value.detail) == (state is Status.ERROR)


def complete(store, job_id, dataset_id):
    assert store.complete(job_id, run(store, job_id, dataset_id), *RESULT)


def test_the_latest_model_is_the_one_that_finished_last(store):
    first, second = run(store, "first", "d"), run(store, "second", "e")
    assert store.complete("second", second, *RESULT)
    wait_for_the_clock(store)
    assert store.complete("first", first, *RESULT)

    assert store.model("latest").id == "first"
    assert store.model("latest", "e").id == "second"
    assert store.model("latest", "d").id == "first"


def test_what_runs_failed_or_was_cancelled_is_never_the_latest(store):
    complete(store, "done", "d")
    run(store, "running", "d")
    store.fail("failed", run(store, "failed", "d"), ERROR)
    run(store, "cancelled", "d")
    store.cancel("cancelled")

    assert store.model("latest").id == "done"


def test_there_may_be_no_latest(store):
    complete(store, "done", "d")

    with pytest.raises(errors.NotFound, match="latest on data set e"):
        store.model("latest", "e")


def test_the_first_latest_is_not_found(store):
    with pytest.raises(errors.NotFound, match="no model latest"):
        store.model("latest")
