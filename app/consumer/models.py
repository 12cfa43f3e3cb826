"""From the id of a model to the model: the row says whether, S3 gives it."""

import logging
import threading
from collections.abc import Callable

from cachetools import TTLCache, cached

from app import errors, serving
from app.jobs import JobStore
from app.messages import LATEST
from app.storage import Storage

log = logging.getLogger(__name__)

LATEST_SECONDS = 1.0  # how long an answer to "which is the latest?" is believed


def load(model_id: str, jobs: JobStore, storage: Storage) -> serving.Model:
    """Load a published model. Raises `errors.NotFound`, `NotReady` or `Corrupt`."""
    job = jobs.model(model_id)
    assert job.result_key is not None
    assert job.result_sha256 is not None
    model = serving.Model(storage.get_model(job.result_key, job.result_sha256))
    log.info("loaded model %s: %d bytes", model_id, model.bytes)
    return model


def latest(jobs: JobStore) -> Callable[[str | None], str]:
    """Return a function that names the model of a data set, or of any, that finished last."""

    @cached(TTLCache(1024, LATEST_SECONDS), lock=threading.Lock())
    def ask(dataset_id: str | None) -> str | errors.Unavailable:
        try:
            return jobs.model(LATEST, dataset_id).id
        except errors.Unavailable as error:  # a database that is away is not asked for each row
            return error

    def name(dataset_id: str | None) -> str:
        answer = ask(dataset_id)
        if isinstance(answer, errors.Unavailable):
            raise errors.from_wire(answer.to_wire())
        return answer

    return name
