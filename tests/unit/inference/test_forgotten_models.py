"""Models that are deleted while the cache holds or loads them."""

import threading

from app.inference.cache import ModelCache


class FakeModel:
    bytes = 1
    alive = True
    isolated = False


def test_a_forgotten_model_is_loaded_again():
    loads = []

    def load(model_id, isolated):
        loads.append((model_id, isolated))
        return FakeModel()

    cache = ModelCache(load, max_bytes=10)
    for model_id in ("a", "b"):
        cache.get(model_id).result(20)
    cache.get("a", isolated=True).result(20)

    cache.forget("a")
    cache.forget("never loaded")
    for model_id in ("a", "b"):
        cache.get(model_id).result(20)

    assert loads == [("a", False), ("b", False), ("a", True), ("a", False)]


def test_a_model_that_is_forgotten_while_it_is_loaded_is_not_kept():
    begun, go_on, loads = threading.Event(), threading.Event(), []

    def load(*key):
        loads.append(key)
        begun.set()
        assert go_on.wait(20)
        return FakeModel()

    cache = ModelCache(load, max_bytes=10)
    loading = cache.get("a")
    assert begun.wait(20)
    cache.forget("a")
    go_on.set()

    assert loading.result(20)  # whoever waited has asked before
    cache.get("a").result(20)
    assert len(loads) == 2


def test_a_load_that_fails_after_it_was_forgotten_tells_whoever_waits():
    begun, go_on = threading.Event(), threading.Event()

    def load(*_):
        begun.set()
        assert go_on.wait(20)
        raise LookupError

    cache = ModelCache(load, max_bytes=10)
    loading = cache.get("a")
    assert begun.wait(20)
    cache.forget("a")
    go_on.set()

    assert isinstance(loading.exception(20), LookupError)
