import threading
import weakref
from concurrent.futures import ThreadPoolExecutor

import pytest

from app import errors
from app.inference.cache import AWAY_SECONDS, LOADS, SILENT_SECONDS, ModelCache
from app.observability.metrics import catalogue
from tests.support.counted import counted


class FakeModel:
    def __init__(self, name, size=1, isolated=False):
        self.name = name
        self.bytes = size
        self.alive = True
        self.isolated = isolated


class Shelf:
    """Loads models of one size, and counts."""

    def __init__(self, size=1):
        self.loaded = []
        self.size = size

    def __call__(self, model_id, isolated=False):
        self.loaded.append(model_id)
        return FakeModel(model_id, self.size, isolated)


def got(cache, model_id):
    return cache.get(model_id).result(20)


def test_a_model_is_loaded_once():
    shelf = Shelf()
    cache = ModelCache(shelf, max_bytes=10)

    assert got(cache, "a") is got(cache, "a")
    assert got(cache, "b").name == "b"
    assert shelf.loaded == ["a", "b"]


class Gated:
    """Loads when the gate is open; `begun` is released by each load that begins."""

    def __init__(self, load):
        self.load = load
        self.gate = threading.Event()
        self.begun = threading.Semaphore(0)

    def __call__(self, model_id, isolated):
        self.begun.release()
        assert self.gate.wait(20)
        return self.load(model_id)


def asked_by_50_threads(load):
    """Ask 50 times for a model whose load ends when all have asked."""
    gated = Gated(load)
    cache = ModelCache(gated, max_bytes=10)
    with ThreadPoolExecutor(50) as pool:
        asked = list(pool.map(cache.get, ["a"] * 50))
    assert not any(each.done() for each in asked)
    gated.gate.set()
    return asked


def test_a_model_is_loaded_once_however_many_threads_ask():
    shelf = Shelf()

    asked = asked_by_50_threads(shelf)

    assert len({each.result(20) for each in asked}) == 1
    assert shelf.loaded == ["a"]


@pytest.mark.parametrize(
    "failure",
    [errors.NotReady(None, "in training"), errors.StorageUnavailable(), KeyError("a bug")],
)
def test_a_failing_load_reaches_all_that_wait(failure):
    def load(*_):
        raise failure

    asked = asked_by_50_threads(load)

    assert [each.exception(20) for each in asked] == [failure] * 50


def shelf_that_fails_once(failure):
    outcomes = [failure, FakeModel("a")]

    def load(*_):
        outcome = outcomes.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    return load


@pytest.mark.parametrize("failure", [errors.NotReady(None, "in training"), KeyError("a bug")])
def test_a_failing_load_is_not_kept(failure):
    cache = ModelCache(shelf_that_fails_once(failure), max_bytes=10)
    assert cache.get("a").exception(20) is failure

    assert got(cache, "a").name == "a"


@pytest.mark.parametrize("failure", [errors.StorageUnavailable(), errors.DatabaseUnavailable()])
def test_what_was_away_is_not_asked_again_for_a_while(failure):
    cache = ModelCache(shelf_that_fails_once(failure), max_bytes=10, away_seconds=60)
    assert cache.get("a").exception(20) is failure

    again = cache.get("a")

    assert again.done()
    assert again.exception() is failure


def test_what_was_away_is_asked_again_after_a_while():
    now = [10.0]
    load = shelf_that_fails_once(errors.StorageUnavailable())
    cache = ModelCache(load, max_bytes=10, timer=lambda: now[0])
    assert cache.get("a").exception(20)

    now[0] += AWAY_SECONDS

    assert got(cache, "a").name == "a"


def slowly_failing(error, now):
    """A cache whose first load fails after a silence, and the loads that are left.

    `now` holds the time of its clock.
    """

    def fail(*_):
        now[0] += SILENT_SECONDS + 1
        raise error

    loads = [fail, FakeModel]
    cache = ModelCache(lambda name, _: loads.pop(0)(name), max_bytes=10, timer=lambda: now[0])
    return cache, loads


def test_when_a_load_was_met_by_silence_others_do_not_wait_for_that_again():
    now = [10.0]
    cache, loads = slowly_failing(errors.StorageUnavailable, now)
    assert cache.get("a").exception(20)

    assert isinstance(cache.get("b").exception(20), errors.Unavailable)
    assert loads == [FakeModel]
    now[0] += AWAY_SECONDS
    assert got(cache, "c").name == "c"


def test_no_load_waits_behind_a_slow_one():
    shelf = Shelf()
    gated = Gated(shelf)
    cache = ModelCache(
        lambda name, _: (gated if name.startswith("slow") else shelf)(name, name), max_bytes=10
    )

    slow = [cache.get(f"slow-{n}") for n in range(LOADS - 1)]
    for _ in slow:
        assert gated.begun.acquire(timeout=20)

    assert got(cache, "quick").name == "quick"
    assert not any(each.done() for each in slow)
    gated.gate.set()
    assert {each.result(20).name for each in slow} == {f"slow-{n}" for n in range(LOADS - 1)}


def test_more_loads_than_a_process_bears_are_refused_at_once():
    shelf = Shelf()
    gated = Gated(shelf)
    cache = ModelCache(gated, max_bytes=10)
    slow = [cache.get(f"slow-{n}") for n in range(LOADS)]

    refused = cache.get("another")

    assert refused.done()
    with pytest.raises(errors.Overloaded, match="64 models are being loaded"):
        refused.result()
    assert cache.get("slow-0") is slow[0]
    gated.gate.set()
    assert [each.result(20).name for each in slow] == [f"slow-{n}" for n in range(LOADS)]
    assert got(cache, "another").name == "another"


def test_a_model_may_be_loaded_in_a_process_of_its_own_beside_the_shared_one():
    shelf = Shelf()
    cache = ModelCache(shelf, max_bytes=10)
    shared = got(cache, "a")

    alone = cache.get("a", isolated=True).result(20)

    assert alone.isolated
    assert not shared.isolated
    assert got(cache, "a") is shared
    assert cache.get("a", isolated=True).result(20) is alone
    assert shelf.loaded == ["a", "a"]


def test_a_model_that_is_always_isolated_is_loaded_once():
    loaded = []

    def load(name, isolated):
        loaded.append(name)
        return FakeModel(name, isolated=True)

    cache = ModelCache(load, max_bytes=10)

    assert got(cache, "a") is cache.get("a", isolated=True).result(20)
    assert loaded == ["a"]


def test_models_are_forgotten_by_their_bytes():
    shelf = Shelf(size=4)
    cache = ModelCache(shelf, max_bytes=10)

    for name in ("a", "b", "c", "a"):
        got(cache, name)

    assert shelf.loaded == ["a", "b", "c", "a"]


def test_the_model_used_last_is_forgotten_last():
    shelf = Shelf(size=4)
    cache = ModelCache(shelf, max_bytes=10)

    for name in ("a", "b", "a", "c", "a", "b"):
        got(cache, name)

    assert shelf.loaded == ["a", "b", "c", "b"]


def test_a_model_larger_than_the_cache_serves_and_is_not_kept():
    cache = ModelCache(lambda name, _: FakeModel(name, len(name)), max_bytes=3)
    small = got(cache, "a")

    large = got(cache, "large")

    assert large.name == "large"
    assert got(cache, "large") is not large
    assert got(cache, "a") is small


def test_a_model_whose_process_has_ended_is_loaded_again():
    shelf = Shelf()
    cache = ModelCache(shelf, max_bytes=10)
    got(cache, "a").alive = False

    assert got(cache, "a").alive
    assert shelf.loaded == ["a", "a"]


@pytest.mark.parametrize("names", [("a", "b", "c"), ("large",)])
def test_a_forgotten_model_is_deleted(names):
    deleted = threading.Event()

    def load(name, isolated):
        model = FakeModel(name, 4 if len(name) == 1 else 11)
        if name == names[0]:
            weakref.finalize(model, deleted.set)
        return model

    cache = ModelCache(load, max_bytes=10)

    for name in names:
        got(cache, name)

    assert deleted.wait(20)


def test_a_process_that_died_while_it_loaded_is_no_silence_of_the_storage():
    cache, _ = slowly_failing(errors.ModelLost, [10.0])
    assert isinstance(cache.get("a").exception(20), errors.ModelLost)

    assert got(cache, "b").name == "b"


def test_the_cache_counts_what_it_loads_and_forgets():
    def load(model_id, isolated):
        if model_id == "none":
            raise errors.NotFound("model_id", "none")
        return FakeModel(model_id, size=4)

    cache = ModelCache(load, max_bytes=10)
    with counted(catalogue.LOADS) as loads, counted(catalogue.EVICTIONS) as evictions:
        for name in ("a", "b", "c", "none"):
            cache.get(name).exception(20)
        cache.forget("c")

    assert loads == {("completed",): 3, ("not_found",): 1}
    assert evictions == {(): 1}
    assert cache.held == (1, 4)
