"""A cache of loaded models, bounded by bytes; concurrent callers share one load."""

import threading
from collections.abc import Callable
from concurrent.futures import Future
from time import monotonic

from cachetools import LRUCache, TTLCache

from app import errors
from app.inference.predictor import Predictor
from app.observability.metrics import catalogue

LOADS = 64  # at a time, each in a thread of its own, so that none waits behind a slow one
AWAY_SECONDS = 1.0  # how long the error of an unavailable dependency is returned again
SILENT_SECONDS = 2.0  # a load that takes longer and fails met a dependency that does not respond
_BUSY = (errors.ModelLost, errors.Overloaded)  # of which the database and S3 are not the cause

_Key = tuple[str, bool]  # a model's id, and whether it was asked for in a process of its own


class _Models(LRUCache[_Key, tuple[Future[Predictor], Predictor]]):
    """The models by their use, the last one first; counts those that make room for others."""

    def popitem(self) -> tuple[_Key, tuple[Future[Predictor], Predictor]]:
        """Remove the model that was not used for longest."""
        catalogue.EVICTIONS.add()
        return super().popitem()


class ModelCache:
    """The models used last, bounded by the bytes that they hold.

    Its own threads load them, so `get` does not block. A model that the cache has forgotten is
    deleted when its last caller has an answer, and its process ends with it.
    """

    def __init__(
        self,
        load: Callable[[str, bool], Predictor],
        max_bytes: int,
        *,
        away_seconds: float = AWAY_SECONDS,
        timer: Callable[[], float] = monotonic,
    ) -> None:
        """Keep what `load(model_id, isolated)` returns; all waiting callers get it, or its error.

        `isolated` asks for a model that runs in a process of its own.
        """
        self._load = load
        self._models = _Models(max_bytes, lambda loaded: loaded[1].bytes)
        self._away_seconds = away_seconds
        self._timer = timer
        self._away: TTLCache[_Key, Future[Predictor]] = TTLCache(1024, away_seconds, timer)
        self._silent_until = 0.0
        self._loading: dict[_Key, Future[Predictor]] = {}
        self._lock = threading.Lock()

    def get(self, model_id: str, isolated: bool = False) -> Future[Predictor]:
        """Return, without waiting, the future of the loaded model.

        If `isolated`, it runs in a process of its own, as some models always do. The future has
        `errors.Overloaded` if too many models are being loaded.
        """
        key = model_id, isolated
        with self._lock:
            if found := self._found(key) or (isolated and self._found_isolated(model_id)):
                return found
            if found := self._loading.get(key) or self._away.get(key):
                return found
            loading: Future[Predictor] = Future()
            if len(self._loading) >= LOADS:
                detail = f"{LOADS} models are being loaded; ask again in a moment"
                loading.set_exception(errors.Overloaded(detail))
                return loading
            self._loading[key] = loading
        # A daemon, because a load must not delay the exit.
        name = f"load-{model_id}"
        threading.Thread(target=self._fetch, args=(key, loading), name=name, daemon=True).start()
        return loading

    @property
    def held(self) -> tuple[int, int]:
        """How many models are kept, and the bytes that they hold."""
        with self._lock:
            return len(self._models), int(self._models.currsize)

    def forget(self, model_id: str) -> None:
        """Forget a deleted model, also one that is being loaded."""
        with self._lock:
            for key in ((model_id, False), (model_id, True)):
                self._models.pop(key, None)
                self._loading.pop(key, None)
                self._away.pop(key, None)

    def _found(self, key: _Key) -> Future[Predictor] | None:
        """Return a model that is loaded and can answer."""
        if (loaded := self._models.get(key)) is None:
            return None
        if loaded[1].alive:
            return loaded[0]
        del self._models[key]
        return None

    def _found_isolated(self, model_id: str) -> Future[Predictor] | None:
        """Return a model that was not asked for in a process of its own, but has one."""
        found = self._found((model_id, False))
        return found if found and found.result().isolated else None

    def _fetch(self, key: _Key, loading: Future[Predictor]) -> None:
        begun = self._timer()
        try:
            if begun < self._silent_until:
                raise errors.Unavailable("the database or S3 of the models does not respond")
            model = self._load(*key)
        except BaseException as error:  # noqa: BLE001  all waiting callers get it
            with self._lock:
                if self._loading.get(key) is loading:
                    del self._loading[key]
                if isinstance(error, errors.Unavailable):
                    self._away[key] = loading
                    silent = self._timer() > begun + SILENT_SECONDS
                    if silent and not isinstance(error, _BUSY):
                        # so that others do not wait, too
                        self._silent_until = self._timer() + self._away_seconds
            catalogue.LOADS.add(getattr(error, "type", errors.WarrenError.type))
            loading.set_exception(error)
        else:
            catalogue.LOADS.add("completed")
            catalogue.LOAD.observe(self._timer() - begun)
            with self._lock:
                if self._loading.get(key) is loading:  # it was not forgotten meanwhile
                    del self._loading[key]
                    if model.bytes <= self._models.maxsize:  # a larger one is returned, not kept
                        self._models[key] = loading, model
            loading.set_result(model)
