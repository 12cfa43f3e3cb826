"""Models that are deleted, on a real database of each kind."""

import threading

import pytest
import sqlalchemy as sa

from app import errors
from app.auth.grants import Grants, Kind
from app.database.engine import database_now
from app.database.tables import models_table
from app.jobs.model_publication import publish_missing_models
from app.jobs.store import JobStore
from app.models.deletion import read_deleted
from app.models.deletion_watch import DeletionWatch
from app.models.folder_use import unneeded_folders
from app.models.record import StoredFile
from app.models.registry import CachedModelRegistry
from app.protocol.types import LATEST, JobKind, JobStatus
from tests.support.rows import ENDPOINT, REQUEST, RESULT, accept, complete_as_before, run
from tests.support.waiting import until


@pytest.fixture
def registry(store):
    return CachedModelRegistry(store)


def complete(store, job_id="m", dataset_id="d"):
    assert store.complete_training(job_id, run(store, job_id, dataset_id), *RESULT)


def test_a_deleted_model_is_gone(store, registry):
    complete(store)
    registry.get("m")

    assert registry.delete("m") == StoredFile(*RESULT[:2])

    for asked in (registry, CachedModelRegistry(store)):
        with pytest.raises(errors.Gone, match="m was deleted") as caught:
            asked.get("m")
        assert caught.value.extra == {"field": "model_id"}
    with pytest.raises(errors.NotFound, match="no trained model"):
        registry.get(LATEST)
    assert registry.newest(10) == []
    with pytest.raises(errors.Gone):
        registry.delete("m")


def test_the_model_before_is_the_latest_one_again(store, registry):
    complete(store, "first")
    complete(store, "second")
    assert registry.resolve(LATEST) == "second"

    registry.delete("second")

    assert registry.resolve(LATEST) == "first"
    assert registry.get(LATEST).model_id == "first"


def test_an_id_is_never_used_again(store, registry):
    complete(store)
    assert registry.register("remote", ENDPOINT)
    for model_id in ("m", "remote"):
        registry.delete(model_id)
        assert not registry.register(model_id, ENDPOINT)
    assert not store.create("m", JobKind.TRAIN, "d", REQUEST, named=True)
    with pytest.raises(errors.Conflict):
        store.create("remote", JobKind.TRAIN, "d", REQUEST, named=True)


def test_no_sweep_brings_a_model_back(store, registry):
    complete(store)
    registry.delete("m")

    assert publish_missing_models(store.engine) == 0

    with pytest.raises(errors.Gone):
        registry.get("m")
    job = store.get("m")
    assert (job.state, job.metrics, job.result_key) == (JobStatus.COMPLETED, RESULT[2], None)
    assert unneeded_folders(store.engine, {RESULT[0]: "m"}) == {RESULT[0]}


def test_the_model_of_an_older_consumer_is_deleted(store, registry):
    complete_as_before(store, "m")

    registry.delete("m")

    assert publish_missing_models(store.engine) == 0
    with pytest.raises(errors.Gone):
        registry.get("m")


@pytest.mark.parametrize("model_id", ["m", "nowhere"])
def test_what_is_no_model_yet_is_not_deleted(store, registry, model_id):
    accept(store)
    expected = {"m": errors.NotReady, "nowhere": errors.NotFound}[model_id]

    with pytest.raises(expected):
        registry.delete(model_id)

    assert store.get("m").state is JobStatus.QUEUED


def test_of_two_deletions_at_a_time_one_succeeds(store):
    complete(store)
    registries = [CachedModelRegistry(store) for _ in range(4)]
    outcomes = []

    def delete(registry):
        try:
            outcomes.append(registry.delete("m"))
        except errors.Gone:
            outcomes.append(None)

    threads = [threading.Thread(target=delete, args=(each,)) for each in registries]
    for each in threads:
        each.start()
    for each in threads:
        each.join()

    assert sorted(outcomes, key=bool) == [None, None, None, StoredFile(*RESULT[:2])]


def test_the_caches_of_other_processes_forget_a_model(store, registry):
    complete(store)
    other = CachedModelRegistry(store)
    forgotten = []
    watch = DeletionWatch(store.engine, (other.forget, forgotten.append), 0.05)
    watch.start()
    other.get("m")

    registry.delete("m")

    until(lambda: forgotten == ["m"], "the watch has seen it")
    with pytest.raises(errors.Gone):
        other.get("m")
    watch.stop()
    watch.join()
    assert forgotten == ["m"]


def test_a_watch_sees_what_was_deleted_while_the_database_was_away(store, registry):
    class Away(DeletionWatch):
        """Cannot look the second and the third time."""

        looks = 0

        def look(self):
            self.looks += 1
            if self.looks in (2, 3):
                raise errors.DatabaseUnavailable("away")
            super().look()

    complete(store)
    forgotten = []
    watch = Away(store.engine, (forgotten.append,), 0.05)
    watch.look()
    registry.delete("m")

    watch.start()

    until(lambda: forgotten == ["m"], "the watch has seen it")
    watch.stop()
    watch.join()
    assert forgotten == ["m"]


def test_a_deletion_that_becomes_visible_late_is_seen(store, registry):
    complete(store)
    _, since = read_deleted(store.engine, None)
    registry.delete("m")
    with store.engine.connect() as connection:  # the time at which its transaction began
        connection.execute(sa.update(models_table).values(deleted_at=database_now(-30)))

    assert read_deleted(store.engine, since)[0] == ["m"]


def test_a_lookup_that_began_before_the_deletion_is_not_kept(store, database_url):
    begun, go_on = threading.Event(), threading.Event()

    class Slow(JobStore):
        """Reads a job at once, and returns it later."""

        def get(self, job_id):
            job = super().get(job_id)
            begun.set()
            assert go_on.wait(20)
            return job

    complete_as_before(store, "m")
    jobs = Slow(database_url)
    registry, found = CachedModelRegistry(jobs), []
    thread = threading.Thread(target=lambda: found.append(registry.get("m")))
    thread.start()
    assert begun.wait(20)
    CachedModelRegistry(store).delete("m")
    registry.forget("m")
    go_on.set()
    thread.join()

    assert found[0].model_id == "m"  # whoever waited has asked before
    with pytest.raises(errors.Gone):
        registry.get("m")
    jobs.close()


def test_grants_go_with_a_model_and_stay_while_it_cannot_be_deleted(store, registry):
    grants = Grants(store.engine, seconds=0)
    for model_id in ("m", "waits"):
        grants.give(Kind.MODEL, model_id, "blue")
    complete(store)
    accept(store, "waits")

    registry.delete("m")
    with pytest.raises(errors.NotReady):
        registry.delete("waits")

    assert grants.readers(Kind.MODEL, "m") == frozenset()
    assert grants.readers(Kind.MODEL, "waits") == {"blue"}
