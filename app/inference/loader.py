"""Load a model from its record in the registry and its file in S3."""

import logging
from collections.abc import Callable

from app.inference.onnx_runtime import OnnxRuntime
from app.inference.predictor import Predictor
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

    Raises the errors of `find`, `errors.Corrupt`, or `WrongQueue` for an endpoint.
    """
    record = find(model_id)
    onnx = files.get(record.require_file())
    model: Predictor
    if isinstance(record.spec, OnnxManifest):
        model = UploadedModel(model_id, onnx, record.spec, max_pixels)
    else:
        runtime = OnnxRuntime(onnx)
        model = TrainedModel(runtime.manifest, runtime)
    log.info("loaded model %s: %d bytes", model_id, model.bytes)
    return model
