"""Load a model from its record in the registry and its file in S3."""

import logging
from collections.abc import Callable
from pathlib import Path

from app.inference.onnx_runtime import OnnxRuntime
from app.inference.predictor import Predictor
from app.inference.sklearn_runtime import SklearnRuntime
from app.inference.trained_model import TrainedModel
from app.inference.uploaded_model import UploadedModel
from app.models.manifest import OnnxManifest
from app.models.record import ModelRecord
from app.storage.model_files import ModelStore

log = logging.getLogger(__name__)


def load_model(
    model_id: str, find: Callable[[str], ModelRecord], files: ModelStore, max_pixels: int
) -> Predictor:
    """Load a published model; an image that it takes may have at most `max_pixels`.

    Raises the errors of `find`, of `ModelStore.fetched` and of the runtimes, and
    `errors.WrongQueue` for an endpoint.
    """
    record = find(model_id)
    runtime = (record.fit_summary or {}).get("runtime", "onnx")
    with files.fetched(record.require_file(), runtime) as path:
        model = _load(record, runtime, path, max_pixels)
    log.info("loaded model %s: %d bytes", model_id, model.bytes)
    return model


def _load(record: ModelRecord, runtime: str, path: Path, max_pixels: int) -> Predictor:
    if isinstance(record.spec, OnnxManifest):
        return UploadedModel(record.model_id, path, record.spec, max_pixels)
    loaded: OnnxRuntime | SklearnRuntime
    loaded = SklearnRuntime(path) if runtime == "scikit-learn" else OnnxRuntime(path)
    return TrainedModel(loaded.manifest, loaded)
