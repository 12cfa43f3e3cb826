"""From the id of a model to the model: the row says whether, S3 gives it."""

import threading
from collections.abc import Callable

from cachetools import TTLCache, cached

from app import serving
from app.jobs import JobStore
from app.messages import LATEST
from app.storage import Storage

LATEST_SECONDS = 1.0  # how long an answer to "which is the latest?" is believed


def load(model_id: str, jobs: JobStore, storage: Storage) -> serving.Model:
    """Load a published model. Raises `errors.NotFound`, `NotReady` or `Corrupt`."""
    job = jobs.model(model_id)
    assert job.result_key is not None
    assert job.result_sha256 is not None
    return serving.Model(storage.get_model(job.result_key, job.result_sha256))


def latest(jobs: JobStore) -> Callable[[str | None], str]:
    """Return a function that names the model of a data set, or of any, that finished last."""

    @cached(TTLCache(1024, LATEST_SECONDS), lock=threading.Lock())
    def name(dataset_id: str | None) -> str:
        return jobs.model(LATEST, dataset_id).id

    return name
