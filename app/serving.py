"""Answer from ONNX: sessions, the checks of a row, batches, the cache. The only onnxruntime."""

import json
import os
import threading
from collections.abc import Callable, MutableMapping
from concurrent.futures import Future
from math import isfinite
from queue import SimpleQueue
from time import monotonic
from typing import Any

import numpy as np
import numpy.typing as npt
from cachetools import LRUCache, TTLCache
from pydantic import JsonValue

from app import errors
from app.manifest import METADATA_KEY, Feature, Manifest
from app.messages import Row

# Else it reports models and runs to Microsoft; its own switch comes too late, after the import.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
import onnxruntime

Answer = dict[str, Any]
Inputs = dict[str, npt.NDArray[Any]]

LOADERS = 4  # models that are loaded at a time
AWAY_SECONDS = 1.0  # how long what could not be reached is not asked again
SILENT_SECONDS = 2.0


class Model:
    """A model that can answer; any number of threads may ask it."""

    def __init__(self, onnx: bytes, threads: int = 1) -> None:
        """Load an ONNX file that holds a manifest. Raises `errors.Corrupt`."""
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = 3
        try:
            self._session = onnxruntime.InferenceSession(onnx, options, ["CPUExecutionProvider"])
            properties = self._session.get_modelmeta().custom_metadata_map
            self.manifest = Manifest.model_validate_json(properties[METADATA_KEY])
        except Exception as error:  # onnxruntime's own classes share no base but this
            raise errors.Corrupt(f"the stored model cannot be loaded: {error}") from error
        self.bytes = len(onnx)
        self._names = {feature.name for feature in self.manifest.features}
        self._numbers = [f for f in self.manifest.features if f.type != "text"]
        self._texts = [f for f in self.manifest.features if f.type == "text"]

    def check(self, row: Row) -> None:
        """Raise `errors.Invalid` that names a feature missing, unknown or of a wrong type."""
        if row.keys() != self._names:
            missing = [f.name for f in self.manifest.features if f.name not in row]
            extra = sorted(row.keys() - self._names)
            field = f"input_data.{(missing or extra)[0]}"
            said = f"missing {', '.join(missing)}" if missing else f"unknown {', '.join(extra)}"
            raise errors.Invalid(
                f"{field}: {said}; model {self.manifest.model_id} takes "
                f"{', '.join(f.name for f in self.manifest.features)}",
                field=field,
            )
        for feature in self.manifest.features:
            if not _fits(row[feature.name], feature):
                field = f"input_data.{feature.name}"
                wanted = f"a {feature.type}{' or null' if feature.nullable else ''}"
                given = _described(row[feature.name])
                raise errors.Invalid(f"{field}: expected {wanted}, not {given}", field=field)

    def predict(self, rows: list[Row]) -> list[Answer | None]:
        """Answer rows that `check` let pass, in one run, in their order.

        A regressor answers `{"prediction": number, "pred_proba": the same}` (the second is the
        older name), a classifier `{"prediction": label, "pred_proba": {label: probability}}`. None
        stands where an answer would not be finite.
        """
        inputs: Inputs = {}
        if self._numbers:
            names = [f.name for f in self._numbers]
            inputs["number"] = np.array([[row[n] for n in names] for row in rows], np.float64)
        if self._texts:
            names = [f.name for f in self._texts]
            inputs["text"] = np.array([[row[n] or "" for n in names] for row in rows], object)
        values = self.run(inputs)
        labels = self.manifest.labels
        if labels is None:
            return [
                {"prediction": value, "pred_proba": value} if isfinite(value) else None
                for value in values.tolist()
            ]
        keys = [str(label) for label in labels]
        return [
            {"prediction": labels[best], "pred_proba": dict(zip(keys, row, strict=True))}
            if all(map(isfinite, row))
            else None
            for best, row in zip(values.argmax(axis=1).tolist(), values.tolist(), strict=True)
        ]

    def run(self, inputs: Inputs) -> npt.NDArray[Any]:
        """Return predictions [rows], or probabilities [rows, labels] of a classifier."""
        outputs: list[npt.NDArray[Any]] = self._session.run(None, inputs)
        return outputs[0].reshape(-1) if self.manifest.labels is None else outputs[1]


def _fits(value: JsonValue, feature: Feature) -> bool:
    if value is None:
        return feature.nullable
    match feature.type:
        case "text":
            return isinstance(value, str)
        case "boolean":
            return isinstance(value, bool)
        case "number":
            if isinstance(value, bool) or not isinstance(value, int | float):
                return False
            return abs(value) <= _LARGEST


def _described(value: JsonValue) -> str:
    match value:
        case list():
            return "a list"
        case dict():
            return "an object"
        case _:
            return f"{json.dumps(value):.80}"


_LARGEST = float(np.finfo(np.float32).max)  # the trees of scikit-learn compare in float32


def parity(expected: npt.NDArray[np.float64], answered: npt.NDArray[Any]) -> float:
    """Return the largest difference, relative to the value or, if that is more, to their mean."""
    size = np.abs(expected)
    return float((np.abs(expected - answered) / np.maximum(size, size.mean() or 1.0)).max())


class ModelCache:
    """The models used last, bounded by the bytes of their files, each loaded once for all.

    They are loaded by threads of its own, so that whoever asks may do something else meanwhile.
    """

    def __init__(self, load: Callable[[str], Model], max_bytes: int) -> None:
        """`load(model_id)` makes a model or raises; what it raises reaches all that wait for it."""
        self._load = load
        self._models: LRUCache[str, Future[Model]] = LRUCache(
            max_bytes, lambda loaded: loaded.result().bytes
        )
        self._away: TTLCache[str, Future[Model]] = TTLCache(1024, AWAY_SECONDS)
        self._silent_until = 0.0
        self._loading: dict[str, Future[Model]] = {}
        self._lock = threading.Lock()
        self._wanted: SimpleQueue[tuple[str, Future[Model]]] = SimpleQueue()
        for number in range(LOADERS):  # daemons: a load never keeps the process from its end
            threading.Thread(target=self._work, name=f"load-{number}", daemon=True).start()

    def get(self, model_id: str) -> Future[Model]:
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

    def _fetch(self, model_id: str, loading: Future[Model]) -> None:
        keep: MutableMapping[str, Future[Model]] = {}  # here it is forgotten
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
