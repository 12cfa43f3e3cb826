"""From the id of a remote model to where it is; a model never changes."""

import asyncio

from cachetools import LRUCache

from app import errors
from app.amqp.topology import PREDICT_QUEUE
from app.models.endpoint import EndpointSpec
from app.models.latest import FindModel

MAX_KNOWN = 10_000


class EndpointCache:
    """The models that were asked for, each looked up once for all that ask; of one event loop."""

    def __init__(self, find: FindModel) -> None:
        """`find` may block: it is called in threads."""
        self._find = find
        self._known: LRUCache[str, EndpointSpec] = LRUCache(MAX_KNOWN)
        self._asked: dict[tuple[str, str | None], asyncio.Task[EndpointSpec]] = {}

    async def get(self, model_id: str, dataset_id: str | None = None) -> EndpointSpec:
        """Return where a model is.

        Raises what `registry.find_model` does, and `errors.WrongQueue` for one that is no endpoint.
        """
        if known := self._known.get(model_id):
            return known
        key = model_id, dataset_id
        if key not in self._asked:
            self._asked[key] = asyncio.create_task(self._look_up(*key))
        return await asyncio.shield(self._asked[key])  # others may wait for it, too

    async def _look_up(self, model_id: str, dataset_id: str | None) -> EndpointSpec:
        try:
            job = await asyncio.to_thread(self._find, model_id, dataset_id)
        finally:
            del self._asked[model_id, dataset_id]
        if job.kind != "endpoint":
            raise errors.WrongQueue(
                "model_id",
                f"model {model_id} answers by {PREDICT_QUEUE}",
                queue=PREDICT_QUEUE,
            )
        spec = self._known[model_id] = EndpointSpec.model_validate(job.request)
        return spec
