"""From the id of a model to the model: the row says whether, S3 gives it."""

import logging
import threading
from collections.abc import Callable

from cachetools import TTLCache, cached

from app import errors, queues, serving
from app.database import Job
from app.endpoint import Endpoint
from app.manifest import Uploaded
from app.messages import LATEST
from app.storage import Storage
from app.uploaded import OnnxModel

log = logging.getLogger(__name__)

LATEST_SECONDS = 1.0  # how long an answer to "which is the latest?" is believed

Find = Callable[[str, str | None], Job]  # `registry.find`, of a model's id and of a data set's


def load(model_id: str, find: Find, storage: Storage, max_pixels: int) -> serving.Servable:
    """Load a published model, which takes images of at most `max_pixels`, if it takes any.

    Raises `errors.NotFound`, `NotReady`, `Corrupt` or `Elsewhere`.
    """
    job = find(model_id, None)
    if job.kind == "endpoint":
        raise errors.Elsewhere(
            f"model_id: model {model_id} answers by {queues.INVOKE}",
            field="model_id",
            queue=queues.INVOKE,
            seconds=Endpoint.model_validate(job.request).seconds,
        )
    assert job.result_key is not None
    assert job.result_sha256 is not None
    onnx = storage.get_model(job.result_key, job.result_sha256)
    model: serving.Servable
    if job.kind == "onnx":
        model = OnnxModel(model_id, onnx, Uploaded.model_validate(job.request), max_pixels)
    else:
        model = serving.Model(onnx)
    log.info("loaded model %s: %d bytes", model_id, model.bytes)
    return model


def latest(find: Find) -> Callable[[str | None], str]:
    """Return a function that names the model of a data set, or of any, that finished last."""

    @cached(TTLCache(1024, LATEST_SECONDS), lock=threading.Lock())
    def ask(dataset_id: str | None) -> str | errors.Unavailable:
        try:
            return find(LATEST, dataset_id).id
        except errors.Unavailable as error:  # a database that is away is not asked for each row
            return error

    def name(dataset_id: str | None) -> str:
        answer = ask(dataset_id)
        if isinstance(answer, errors.Unavailable):
            raise errors.from_wire(answer.to_wire())
        return answer

    return name
