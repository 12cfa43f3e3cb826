"""From the id of a model to the model: the row says whether, S3 gives it."""

import logging

from app import errors
from app.amqp.topology import INVOKE_QUEUE
from app.inference import trained_model
from app.inference.predictor import Predictor
from app.inference.uploaded_model import UploadedModel
from app.models.endpoint import EndpointSpec
from app.models.latest import FindModel
from app.models.manifest import OnnxManifest
from app.storage.client import Storage

log = logging.getLogger(__name__)


def load_model(model_id: str, find: FindModel, storage: Storage, max_pixels: int) -> Predictor:
    """Load a published model, which takes images of at most `max_pixels`, if it takes any.

    Raises `errors.NotFound`, `NotReady`, `Corrupt` or `WrongQueue`.
    """
    job = find(model_id, None)
    if job.kind == "endpoint":
        raise errors.WrongQueue(
            "model_id",
            f"model {model_id} answers by {INVOKE_QUEUE}",
            queue=INVOKE_QUEUE,
            seconds=EndpointSpec.model_validate(job.request).seconds,
        )
    assert job.result_key is not None
    assert job.result_sha256 is not None
    onnx = storage.get_model(job.result_key, job.result_sha256)
    model: Predictor
    if job.kind == "onnx":
        model = UploadedModel(model_id, onnx, OnnxManifest.model_validate(job.request), max_pixels)
    else:
        model = trained_model.TrainedModel(onnx)
    log.info("loaded model %s: %d bytes", model_id, model.bytes)
    return model
