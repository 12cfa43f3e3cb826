"""From the id of a remote model to where it is; a model never changes."""

import asyncio

from cachetools import LRUCache

from app import errors, queues
from app.consumer.models import Find
from app.endpoint import Endpoint

MAX_KNOWN = 10_000


class Specs:
    """The models that were asked for, each looked up once for all that ask; of one event loop."""

    def __init__(self, find: Find) -> None:
        """`find` may block: it is called in threads."""
        self._find = find
        self._known: LRUCache[str, Endpoint] = LRUCache(MAX_KNOWN)
        self._asked: dict[tuple[str, str | None], asyncio.Task[Endpoint]] = {}

    async def get(self, model_id: str, dataset_id: str | None = None) -> Endpoint:
        """Return where a model is.

        Raises what `registry.find` does, and `errors.Elsewhere` for one that is no endpoint.
        """
        if known := self._known.get(model_id):
            return known
        key = model_id, dataset_id
        if key not in self._asked:
            self._asked[key] = asyncio.create_task(self._look_up(*key))
        return await asyncio.shield(self._asked[key])  # others may wait for it, too

    async def _look_up(self, model_id: str, dataset_id: str | None) -> Endpoint:
        try:
            job = await asyncio.to_thread(self._find, model_id, dataset_id)
        finally:
            del self._asked[model_id, dataset_id]
        if job.kind != "endpoint":
            raise errors.Elsewhere(
                f"model_id: model {model_id} answers by {queues.PREDICT}",
                field="model_id",
                queue=queues.PREDICT,
            )
        spec = self._known[model_id] = Endpoint.model_validate(job.request)
        return spec
