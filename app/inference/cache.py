"""The models that are loaded: each once for all, the ones used last."""

import threading
from collections.abc import Callable, MutableMapping
from concurrent.futures import Future
from queue import SimpleQueue
from time import monotonic

from cachetools import LRUCache, TTLCache

from app import errors
from app.inference.predictor import Predictor

LOADERS = 4  # models that are loaded at a time
AWAY_SECONDS = 1.0  # how long what could not be reached is not asked again
SILENT_SECONDS = 2.0


class ModelCache:
    """The models used last, bounded by the bytes of their files, each loaded once for all.

    They are loaded by threads of its own, so that whoever asks may do something else meanwhile.
    """

    def __init__(self, load: Callable[[str], Predictor], max_bytes: int) -> None:
        """`load(model_id)` makes a model or raises; what it raises reaches all that wait for it."""
        self._load = load
        self._models: LRUCache[str, Future[Predictor]] = LRUCache(
            max_bytes, lambda loaded: loaded.result().bytes
        )
        self._away: TTLCache[str, Future[Predictor]] = TTLCache(1024, AWAY_SECONDS)
        self._silent_until = 0.0
        self._loading: dict[str, Future[Predictor]] = {}
        self._lock = threading.Lock()
        self._wanted: SimpleQueue[tuple[str, Future[Predictor]]] = SimpleQueue()
        for number in range(LOADERS):  # daemons: a load never keeps the process from its end
            threading.Thread(target=self._work, name=f"load-{number}", daemon=True).start()

    def get(self, model_id: str) -> Future[Predictor]:
        """Return at once what is the model, or will be when it is loaded."""
        with self._lock:
            for known in (self._models, self._loading, self._away):
                if found := known.get(model_id):
                    return found
            loading = self._loading[model_id] = Future()
        self._wanted.put((model_id, loading))
        return loading

    def _work(self) -> None:
        while True:
            self._fetch(*self._wanted.get())

    def _fetch(self, model_id: str, loading: Future[Predictor]) -> None:
        keep: MutableMapping[str, Future[Predictor]] = {}  # here it is forgotten
        begun = monotonic()
        try:
            if begun < self._silent_until:
                raise errors.Unavailable("what holds the models does not answer")
            model = self._load(model_id)
            if model.bytes <= self._models.maxsize:  # a larger one serves and is not kept
                keep = self._models
            loading.set_result(model)
        except BaseException as error:  # noqa: BLE001  whoever waits for it is told
            if isinstance(error, errors.Unavailable):
                keep = self._away
                if monotonic() > begun + SILENT_SECONDS:  # others need not wait for that one by one
                    self._silent_until = monotonic() + AWAY_SECONDS
            loading.set_exception(error)
        with self._lock:
            keep[model_id] = loading
            del self._loading[model_id]
