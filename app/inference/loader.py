"""Load a model from its record in the registry and its file in S3."""

import logging
from collections.abc import Callable
from pathlib import Path

from app.inference.loading_memory import LoadingMemory
from app.inference.onnx_runtime import OnnxRuntime
from app.inference.predictor import Predictor
from app.inference.quarantine import Quarantine
from app.inference.sklearn_runtime import SklearnRuntime
from app.inference.trained_model import TrainedModel
from app.inference.uploaded_model import UploadedModel
from app.models.manifest import OnnxManifest
from app.models.record import ModelRecord
from app.storage.model_files import ModelStore

log = logging.getLogger(__name__)


class ModelLoader:
    """Loads published models; any thread may call it."""

    def __init__(
        self,
        find: Callable[[str], ModelRecord],
        files: ModelStore,
        max_pixels: int,
        quarantine: Quarantine | None = None,
        memory: LoadingMemory | None = None,
    ) -> None:
        """Load the files of models that `find` returns. An image may have `max_pixels`."""
        self._find = find
        self._files = files
        self._max_pixels = max_pixels
        self._quarantine = quarantine or Quarantine()
        self._memory = memory or LoadingMemory()

    def __call__(self, model_id: str, isolated: bool = False) -> Predictor:
        """Load a model; if it is `isolated` or was stopped before, into a process of its own.

        Raises the errors of `find`, of `ModelStore.fetched` and of the runtimes;
        `errors.ModelQuarantined`; `errors.Overloaded` if other loads leave no memory for this one;
        and `errors.WrongQueue` for an endpoint.
        """
        self._quarantine.check(model_id)
        record = self._find(model_id)
        runtime = (record.fit_summary or {}).get("runtime", "onnx")
        with self._files.fetched(record.require_file(), runtime) as path:
            model = self._load(record, runtime, path)
        log.info("loaded model %s: %d bytes", model_id, model.bytes)
        return model

    def _load(self, record: ModelRecord, runtime: str, path: Path) -> Predictor:
        if isinstance(record.spec, OnnxManifest):
            return UploadedModel(record.model_id, path, record.spec, self._max_pixels)
        loaded: OnnxRuntime | SklearnRuntime
        loaded = SklearnRuntime(path) if runtime == "scikit-learn" else OnnxRuntime(path)
        return TrainedModel(loaded.manifest, loaded)
