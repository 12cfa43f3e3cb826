"""Which model is the latest."""

import threading
from collections.abc import Callable

from cachetools import TTLCache, cached

from app import errors
from app.jobs.record import Job
from app.protocol.types import LATEST

LATEST_SECONDS = 1.0  # how long an answer to "which is the latest?" is believed
FindModel = Callable[
    [str, str | None], Job
]  # `registry.find_model`, of a model's id and of a data set's


def latest_resolver(find: FindModel) -> Callable[[str | None], str]:
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
