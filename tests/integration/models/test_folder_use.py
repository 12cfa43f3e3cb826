"""Which folders of files are unneeded, on a database of each kind."""

import pytest

from app.models.folder_use import unneeded_folders
from app.models.manifest import OnnxManifest
from app.models.record import StoredFile
from app.models.registry import CachedModelRegistry
from tests.support import graphs
from tests.support.rows import ERROR, RESULT, accept, complete_as_before, put, run

FOLDERS = {f"models/m/{attempt}/": "m" for attempt in (1, 2)}


def test_the_folder_that_a_model_has_is_needed(store):
    assert store.complete_training("m", run(store), *RESULT)
    assert unneeded_folders(store.engine, FOLDERS) == {"models/m/2/"}


def test_the_folder_of_a_registered_model_is_needed(store):
    spec = OnnxManifest.model_validate(graphs.LINEAR)
    assert CachedModelRegistry(store).register("m", spec, StoredFile("models/m/2/", "a" * 64))
    assert unneeded_folders(store.engine, FOLDERS) == {"models/m/1/"}


def test_the_folder_of_a_model_without_a_row_is_needed(store):
    complete_as_before(store, "m")
    assert unneeded_folders(store.engine, FOLDERS) == {"models/m/2/"}


@pytest.mark.parametrize("running", [True, False])
def test_a_job_that_has_not_ended_needs_all_its_folders(store, running):
    run(store) if running else accept(store)
    put(store, "m", created_at=-(10**8))
    assert unneeded_folders(store.engine, FOLDERS) == set()


@pytest.mark.parametrize("failed", [True, False])
def test_a_job_without_a_model_needs_none(store, failed):
    attempt = run(store)
    assert store.fail("m", attempt, ERROR) if failed else store.cancel("m")
    assert unneeded_folders(store.engine, FOLDERS) == FOLDERS.keys()


def test_a_folder_that_the_database_does_not_know_is_needed(store):
    """Else a producer with an empty database would delete the models of all others."""
    assert unneeded_folders(store.engine, FOLDERS) == set()
