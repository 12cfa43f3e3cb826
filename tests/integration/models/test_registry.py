"""The registry, on a real database of each kind."""

import asyncio
import json
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
import sqlalchemy as sa

from app import errors
from app.jobs.long_answers import LISTED_CHARACTERS
from app.jobs.model_publication import publish_missing_models
from app.jobs.store import JobStore
from app.models.endpoint import EndpointSpec
from app.models.manifest import OnnxManifest
from app.models.record import StoredFile, TrainedSpec
from app.models.registry import LATEST_SECONDS, RECORD_BYTES, CachedModelRegistry
from app.protocol.types import LATEST, JobKind, JobStatus, ModelKind
from tests.support import graphs
from tests.support.rows import (
    ENDPOINT,
    ERROR,
    FIT,
    REQUEST,
    RESULT,
    accept,
    at_once,
    complete_as_before,
    run,
    wait_for_the_clock,
)

ONNX = OnnxManifest.model_validate(graphs.LINEAR)
FILE = StoredFile("models/near/abc/", "b" * 64)


@pytest.fixture
def registry(store):
    return CachedModelRegistry(store)


def complete(store, job_id="m", dataset_id="d"):
    assert store.complete_training(job_id, run(store, job_id, dataset_id), *RESULT)


def test_a_completed_training_is_a_model(store, registry):
    complete(store)

    found = registry.get("m")

    job = store.get("m")
    assert (found.model_id, found.kind, found.dataset_id) == ("m", ModelKind.TRAINED, "d")
    assert found.require_file() == StoredFile(*RESULT[:2])
    assert found.metrics == RESULT[2]
    assert (found.created_at, found.trained_at) == (job.created_at, job.ended_at)
    with pytest.raises(errors.WrongQueue) as caught:
        found.require_endpoint()
    assert caught.value.extra["queue"] == "queue.model.predict"


@pytest.mark.parametrize(
    ("spec", "file"), [(ENDPOINT, None), (ONNX, FILE)], ids=["endpoint", "onnx"]
)
def test_a_registered_model_is_found_as_it_was(registry, spec, file):
    assert registry.register("far", spec, file)

    found = registry.get("far")

    assert (found.spec, found.file, found.kind) == (spec, file, ModelKind(spec.kind))
    assert found.created_at.utcoffset().total_seconds() == 0
    assert found.trained_at is found.metrics is found.dataset_id is None


def test_an_endpoint_has_no_file_and_answers_by_its_own_queue(registry):
    registry.register("far", ENDPOINT)

    assert registry.get("far").require_endpoint() == ENDPOINT
    with pytest.raises(errors.WrongQueue) as caught:
        registry.get("far").require_file()
    assert caught.value.extra["queue"] == "queue.model.invoke"
    assert caught.value.extra["seconds"] == ENDPOINT.seconds


def test_a_model_that_nobody_trains_is_not_found(store, registry):
    accept(store, "asked", kind=JobKind.PREDICT)

    for model_id in ("m", "asked"):
        with pytest.raises(errors.NotFound, match=f"there is no model {model_id}") as caught:
            registry.get(model_id)
        assert caught.value.extra["field"] == "model_id"


def test_the_nearest_model_is_named(registry):
    registry.register("iris-2", ENDPOINT)

    for asked, meant in (("Iris-2", "iris-2"), ("iris_2", "iris-2"), ("Latest", "latest")):
        with pytest.raises(errors.NotFound) as caught:
            registry.get(asked)
        assert caught.value.message == f'there is no model {asked}; did you mean "{meant}"?'


NOT_READY = {
    JobStatus.QUEUED: lambda store: accept(store),
    JobStatus.RUNNING: lambda store: run(store),
    JobStatus.ERROR: lambda store: store.fail("m", run(store), ERROR),
    JobStatus.CANCELLED: lambda store: store.cancel(accept(store)),
}


@pytest.mark.parametrize("state", NOT_READY)
def test_a_training_without_a_result_is_a_model_that_is_not_ready(store, registry, state):
    NOT_READY[state](store)

    with pytest.raises(errors.NotReady) as caught:
        registry.get("m")

    assert caught.value.extra["state"] == state
    assert str(state) in caught.value.detail
    assert ("no column a" in caught.value.detail) == (state is JobStatus.ERROR)


def test_that_a_model_is_not_ready_is_not_kept(store, registry):
    attempt = run(store)
    with pytest.raises(errors.NotReady):
        registry.get("m")

    assert store.complete_training("m", attempt, *RESULT)

    assert registry.get("m").model_id == "m"


# One id, one job or model.


def test_an_id_is_registered_once(store, registry):
    assert registry.register("far", ENDPOINT)
    assert not registry.register("far", EndpointSpec(url="http://127.0.0.1:2/"))

    assert CachedModelRegistry(store).get("far").spec == ENDPOINT


def test_an_id_that_a_job_has_is_not_registered(store, registry):
    run(store, "training")
    accept(store, "prediction", kind=JobKind.PREDICT)
    complete(store, "trained")

    for job_id in ("training", "prediction", "trained"):
        assert not registry.register(job_id, ENDPOINT)


@pytest.mark.parametrize("named", [True, False])
def test_an_id_that_a_model_has_becomes_no_job(store, registry, named):
    registry.register("far", ENDPOINT)

    with pytest.raises(errors.Conflict, match="far is taken"):
        store.create("far", JobKind.TRAIN, "d", REQUEST, named=named)

    assert store.get("far") is None


def test_an_id_that_is_asked_for_at_once_is_given_once(store, registry):
    def begin(number):
        model_id = f"m-{number // 2}"
        if number % 2:
            return registry.register(model_id, ENDPOINT)
        try:
            return store.create(model_id, JobKind.TRAIN, "d", REQUEST, named=True)
        except errors.Conflict:
            return False

    given = at_once(40, begin)

    assert [given[n] + given[n + 1] for n in range(0, 40, 2)] == [1] * 20


# The newest, and the latest.


def test_the_newest_models_are_listed_without_what_they_were_registered_with(store, registry):
    registry.register("far", ENDPOINT)
    wait_for_the_clock(store)
    store.create("m", JobKind.TRAIN, "d", {**REQUEST, "estimator": "ridge"})
    attempt = store.claim("m", "worker")
    assert store.complete_training("m", attempt, *RESULT)
    run(store, "running")
    accept(store, "asked", kind=JobKind.PREDICT)

    found = registry.newest(10)

    assert [(each.model_id, each.kind, each.estimator) for each in found] == [
        ("m", ModelKind.TRAINED, "ridge"),
        ("far", ModelKind.ENDPOINT, None),
    ]
    assert found[0].trained_at == store.get("m").ended_at
    assert found[0].metrics == RESULT[2]
    assert found[1].trained_at is None
    assert [each.model_id for each in registry.newest(1)] == ["m"]


def test_the_latest_model_is_the_one_that_finished_last(store, registry):
    first, second = run(store, "first", "d"), run(store, "second", "e")
    assert store.complete_training("second", second, *RESULT)
    wait_for_the_clock(store)
    assert store.complete_training("first", first, *RESULT)
    registry.register("far", ENDPOINT)

    assert registry.get(LATEST).model_id == "first"
    assert registry.get(LATEST, "e").model_id == "second"
    assert registry.get(LATEST, "d").model_id == "first"


def test_what_runs_failed_or_was_cancelled_is_never_the_latest(store, registry):
    complete(store, "done")
    run(store, "running", "d")
    store.fail("failed", run(store, "failed", "d"), ERROR)
    run(store, "cancelled", "d")
    store.cancel("cancelled")

    assert registry.get(LATEST).model_id == "done"


def test_there_may_be_no_latest(store, registry):
    with pytest.raises(errors.NotFound, match="there is no trained model"):
        registry.get(LATEST)

    complete(store, "done", "d")

    with pytest.raises(errors.NotFound, match="no trained model on data set e"):
        registry.get(LATEST, "e")


@pytest.mark.parametrize(
    ("read", "index"),
    [
        (lambda registry: registry.newest(10), "ix_models_owner_created_at"),
        (lambda registry: registry.get(LATEST), "ix_models_owner_trained_at"),
        (lambda registry: registry.get(LATEST, "d"), "ix_models_owner_dataset_trained_at"),
    ],
)
def test_a_read_of_many_models_uses_an_index(sqlite_url, read, index):
    store = JobStore(sqlite_url)
    complete(store)
    asked = statements(store)
    read(CachedModelRegistry(store))
    ((statement, values),) = asked
    with store.engine.connect() as connection:
        plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", values)
        assert f"USING INDEX {index}" in plan.first()[3]
    store.close()


# What is kept.


def statements(store):
    """Return the list to which each statement is added."""
    asked = []
    sa.event.listen(store.engine, "before_cursor_execute", lambda *told: asked.append(told[2:4]))
    return asked


def test_a_record_is_read_once(store, registry):
    complete(store)
    found = registry.get("m")
    asked = statements(store)

    assert registry.get("m") is found
    assert asyncio.run(registry.find("m")) is found
    assert asked == []


def test_the_records_used_last_are_kept_by_their_size(store):
    size = RECORD_BYTES + len(TrainedSpec().model_dump_json()) + len(json.dumps(FIT))
    registry = CachedModelRegistry(store, cache_bytes=2 * size)
    for name in ("a", "b", "c"):
        complete(store, name)
        registry.get(name)
    asked = statements(store)

    for name in ("c", "b", "a"):
        registry.get(name)

    assert len(asked) == 1


def test_a_record_that_is_larger_than_the_cache_is_found_and_not_kept(store):
    registry = CachedModelRegistry(store, cache_bytes=10)
    complete(store)

    assert registry.get("m").model_id == "m"
    asked = statements(store)
    assert registry.get("m").model_id == "m"
    assert len(asked) == 1


class Gate:
    """Holds the queries of a store until it is opened; `met` is set when one has come."""

    def __init__(self, store):
        self.met = threading.Event()
        self.opened = threading.Event()
        self.queries = 0
        sa.event.listen(store.engine, "before_cursor_execute", self._hold)

    def _hold(self, *told):
        self.queries += 1
        self.met.set()
        assert self.opened.wait(20)


def test_threads_that_wait_share_one_query(store, registry):
    complete(store)
    gate = Gate(store)

    with ThreadPoolExecutor(50) as pool:
        found = [pool.submit(registry.get, "m") for _ in range(50)]
        assert gate.met.wait(20)
        gate.opened.set()

    assert {each.result().model_id for each in found} == {"m"}
    assert gate.queries == 1


def test_callers_on_an_event_loop_share_one_query_and_one_may_leave(store, registry):
    complete(store)
    gate = Gate(store)

    async def test():
        callers = [asyncio.create_task(registry.find("m")) for _ in range(50)]
        assert await asyncio.to_thread(gate.met.wait, 20)
        callers[0].cancel()
        gate.opened.set()
        return await asyncio.gather(*callers, return_exceptions=True)

    left, *others = asyncio.run(test())

    assert isinstance(left, asyncio.CancelledError)
    assert {each.model_id for each in others} == {"m"}
    assert gate.queries == 1


def test_an_error_reaches_callers_on_an_event_loop(registry):
    with pytest.raises(errors.NotFound, match="no model m"):
        asyncio.run(registry.find("m"))
    with pytest.raises(errors.NotFound, match="there is no trained model"):
        asyncio.run(registry.find(LATEST))


# Aliases.


class Clock:
    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


def test_which_is_the_latest_is_believed_for_a_second(store):
    clock = Clock()
    registry = CachedModelRegistry(store, timer=clock)
    complete(store, "one", "d")
    assert registry.resolve(LATEST) == registry.resolve(LATEST, "d") == "one"
    wait_for_the_clock(store)
    complete(store, "two", "d")

    assert registry.resolve(LATEST) == registry.resolve(LATEST, "d") == "one"
    assert registry.get(LATEST).model_id == "two"
    clock.now += LATEST_SECONDS
    assert registry.resolve(LATEST) == registry.resolve(LATEST, "d") == "two"
    assert asyncio.run(registry.find(LATEST)).model_id == "two"


def test_an_id_stands_for_itself(registry):
    assert registry.resolve("m") == "m"


def test_that_there_is_no_latest_is_not_remembered(store, registry):
    with pytest.raises(errors.NotFound):
        registry.resolve(LATEST, "d")

    complete(store, "one", "d")

    assert registry.resolve(LATEST, "d") == "one"


def test_a_database_that_is_away_is_not_asked_for_the_latest_for_a_second(tmp_path):
    clock = Clock()
    store = JobStore(f"sqlite:///{tmp_path}/empty.db")
    registry = CachedModelRegistry(store, timer=clock)
    asked = statements(store)

    for _ in range(3):
        with pytest.raises(errors.DatabaseUnavailable, match="no such table"):
            registry.resolve(LATEST)
    assert len(asked) == 1
    clock.now += LATEST_SECONDS
    with pytest.raises(errors.DatabaseUnavailable):
        registry.resolve(LATEST)
    assert len(asked) == 2
    store.close()


# A consumer of before there was a table of models.


def test_a_model_without_a_row_is_found_by_that_of_its_training(store, registry):
    complete_as_before(store, "old")

    found = registry.get("old")

    assert found.require_file() == StoredFile(*RESULT[:2])
    assert found.trained_at == store.get("old").ended_at
    assert registry.newest(10) == []
    assert publish_missing_models(store.engine) == 1
    assert publish_missing_models(store.engine) == 0
    assert CachedModelRegistry(store).get("old") == found
    assert registry.get(LATEST) == found
    assert [each.model_id for each in registry.newest(10)] == ["old"]


def test_the_newest_models_may_be_those_of_one_data_set(store, registry):
    for name, dataset_id in (("a", "d"), ("b", "other"), ("c", "d")):
        complete(store, name, dataset_id)
        wait_for_the_clock(store)
    registry.register("far", ENDPOINT)

    assert [each.model_id for each in registry.newest(10)] == ["far", "c", "b", "a"]
    assert [each.model_id for each in registry.newest(10, "d")] == ["c", "a"]
    assert [each.model_id for each in registry.newest(1, "d")] == ["c"]
    assert registry.newest(10, "none") == []


def test_a_list_tells_what_each_fit_did(store, registry):
    complete(store)
    registry.register("far", ENDPOINT)

    far, near = registry.newest(10)

    assert (near.estimator, near.runtime, near.warnings) == ("ridge", "onnx", FIT["warnings"])
    assert far.estimator is far.runtime is far.warnings is None


def test_a_list_leaves_out_what_is_long(store, registry):
    long = {**FIT, "params": {"class_weight": "x" * LISTED_CHARACTERS}}
    assert store.complete_training("m", run(store), *RESULT[:3], long)

    (listed,) = registry.newest(10)

    assert (listed.shortened, listed.metrics, listed.runtime) == (True, RESULT[2], None)
    assert registry.get("m").fit_summary == long
