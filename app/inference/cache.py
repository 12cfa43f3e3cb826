"""A cache of loaded models, bounded by bytes; concurrent callers share one load."""

import threading
from collections.abc import Callable
from concurrent.futures import Future
from queue import SimpleQueue
from time import monotonic

from cachetools import LRUCache, TTLCache

from app import errors
from app.inference.predictor import Predictor

LOADERS = 4  # models that are loaded at a time
AWAY_SECONDS = 1.0  # how long the error of an unavailable dependency is returned again
SILENT_SECONDS = 2.0  # a load that takes longer and fails met a dependency that does not respond


class ModelCache:
    """The models used last, bounded by the bytes that they hold.

    Its own threads load them, so `get` does not block. A model that the cache has forgotten is
    deleted when its last caller has an answer, and its process ends with it.
    """

    def __init__(
        self,
        load: Callable[[str], Predictor],
        max_bytes: int,
        *,
        away_seconds: float = AWAY_SECONDS,
        timer: Callable[[], float] = monotonic,
    ) -> None:
        """Start the threads. All waiting callers get the model or the error of `load(model_id)`."""
        self._load = load
        self._models: LRUCache[str, tuple[Future[Predictor], Predictor]] = LRUCache(
            max_bytes, lambda loaded: loaded[1].bytes
        )
        self._away_seconds = away_seconds
        self._timer = timer
        self._away: TTLCache[str, Future[Predictor]] = TTLCache(1024, away_seconds, timer)
        self._silent_until = 0.0
        self._loading: dict[str, Future[Predictor]] = {}
        self._lock = threading.Lock()
        self._wanted: SimpleQueue[tuple[str, Future[Predictor]]] = SimpleQueue()
        for number in range(LOADERS):  # daemons, because a load must not delay the exit
            threading.Thread(target=self._work, name=f"load-{number}", daemon=True).start()

    def get(self, model_id: str) -> Future[Predictor]:
        """Return, without waiting, the future of the loaded model."""
        with self._lock:
            if loaded := self._models.get(model_id):
                if loaded[1].alive:
                    return loaded[0]
                del self._models[model_id]
            if found := self._loading.get(model_id) or self._away.get(model_id):
                return found
            loading = self._loading[model_id] = Future()
        self._wanted.put((model_id, loading))
        return loading

    def _work(self) -> None:
        while True:
            self._fetch(*self._wanted.get())

    def _fetch(self, model_id: str, loading: Future[Predictor]) -> None:
        begun = self._timer()
        try:
            if begun < self._silent_until:
                raise errors.Unavailable("the database or S3 of the models does not respond")
            model = self._load(model_id)
        except BaseException as error:  # noqa: BLE001  all waiting callers get it
            with self._lock:
                del self._loading[model_id]
                if isinstance(error, errors.Unavailable):
                    self._away[model_id] = loading
                    silent = self._timer() > begun + SILENT_SECONDS
                    if silent and not isinstance(error, errors.ModelLost):
                        # so that others do not wait, too
                        self._silent_until = self._timer() + self._away_seconds
            loading.set_exception(error)
        else:
            with self._lock:
                del self._loading[model_id]
                if model.bytes <= self._models.maxsize:  # a larger model is returned but not kept
                    self._models[model_id] = loading, model
            loading.set_result(model)
