"""Load a model from its record in the registry and its file in S3."""

import logging
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from app.inference.memory_budget import MemoryBudget
from app.inference.model_process import RUN_SECONDS, load_memory
from app.inference.onnx_child import serve_trained
from app.inference.onnx_runtime import OnnxRuntime
from app.inference.predictor import Predictor
from app.inference.process_graph import ProcessGraph
from app.inference.process_runtime import ProcessRuntime
from app.inference.quarantine import Quarantine
from app.inference.sklearn_runtime import SklearnRuntime
from app.inference.trained_model import TrainedModel
from app.inference.uploaded_model import UploadedModel
from app.models.manifest import OnnxManifest, Runtime
from app.models.record import ModelRecord
from app.protocol.types import ModelKind
from app.storage.model_files import ModelStore

COPIES = 3  # of a trained model's ONNX file, which its load takes in this process

log = logging.getLogger(__name__)


class ModelLoader:
    """Loads published models; any thread may call it."""

    def __init__(
        self,
        find: Callable[[str], ModelRecord],
        files: ModelStore,
        max_pixels: int,
        quarantine: Quarantine | None = None,
        budget: MemoryBudget | None = None,
        *,
        run_seconds: float = RUN_SECONDS,
        spares: bool = True,
    ) -> None:
        """Load the files of models that `find` returns. An image may have `max_pixels`.

        A run of a model in a process of its own ends after `run_seconds`. Loads, loaded models and
        runs take their memory from the `budget`; if the loader `spares`, a run gets little first.
        """
        self._find = find
        self._files = files
        self._max_pixels = max_pixels
        self._quarantine = quarantine or Quarantine()
        self._budget = budget or MemoryBudget()
        self._run_seconds = run_seconds
        self._spares = spares

    def __call__(self, model_id: str, isolated: bool = False) -> Predictor:
        """Load a model; if it is `isolated` or was stopped before, into a process of its own.

        Raises the errors of `find`, of `ModelStore.fetched` and of the runtimes;
        `errors.ModelQuarantined`; `errors.Overloaded` if other loads leave no memory for this one;
        and `errors.WrongQueue` for an endpoint.
        """
        self._quarantine.check(model_id)
        alone = isolated or self._quarantine.has_stopped(model_id)
        record = self._find(model_id)
        runtime = (record.fit_summary or {}).get("runtime", "onnx")
        shared = record.kind is ModelKind.TRAINED and runtime == "onnx" and not alone
        with self._files.fetched(record.require_file(), runtime) as path:
            copies = COPIES * path.stat().st_size
            shared = shared and copies <= self._budget.most  # only a process can be held to it
            with self._budget.reserved(copies if shared else load_memory(path)) as taken:
                model = self._load(record, runtime, path, shared=shared, load_bytes=taken)
                self._budget.hold(model, model.bytes)
        log.info("loaded model %s: %d bytes", model_id, model.bytes)
        return model

    def _load(
        self, record: ModelRecord, runtime: Runtime, path: Path, *, shared: bool, load_bytes: int
    ) -> Predictor:
        on_stop = partial(self._quarantine.count, record.model_id)
        limits: dict[str, Any] = {
            "load_bytes": load_bytes,
            "run_seconds": self._run_seconds,
            "account": self._budget.account(record.model_id, spares=self._spares),
            "on_stop": on_stop,
        }
        if isinstance(record.spec, OnnxManifest):
            graph = ProcessGraph(path, record.spec, **limits)
            return UploadedModel(record.model_id, record.spec, graph, self._max_pixels)
        loaded: OnnxRuntime | ProcessRuntime
        if shared:
            loaded = OnnxRuntime(path, run_bytes=self._budget.piece, on_stop=on_stop)
        elif runtime == "scikit-learn":
            loaded = SklearnRuntime(path, **limits)
        else:
            serve = partial(serve_trained, run_seconds=self._run_seconds)
            loaded = ProcessRuntime(serve, path, **limits)
        return TrainedModel(loaded.manifest, loaded)
