"""The registry: finds models, registers them, and resolves `latest`."""

import asyncio
import json
import threading
from collections.abc import Callable
from concurrent.futures import Future
from time import monotonic

from cachetools import LRUCache, TTLCache, cached

from app import errors
from app.auth.actor import SYSTEM, Actor
from app.auth.names import is_latest, owner_of, qualified
from app.database.paging import Page
from app.jobs.store import JobStore
from app.models.deletion import delete_model, deleted
from app.models.endpoint import EndpointSpec
from app.models.listing import ModelFilter, list_models
from app.models.manifest import OnnxManifest
from app.models.queries import (
    insert_model,
    model_of_training,
    read_latest,
    read_model,
    read_newest_ids,
    read_newest_names,
)
from app.models.record import ModelRecord, ModelSummary, StoredFile
from app.protocol.types import LATEST, JobKind, JobStatus
from app.protocol.wire_errors import error_from_wire
from app.protocol.wording import did_you_mean

CACHE_BYTES = 64_000_000  # of records, as JSON
RECORD_BYTES = 1000  # of each record, beside its spec and what its fit did
LATEST_SECONDS = 1.0  # how long the id of the latest model is cached
MAX_RESOLVED = 1024  # data sets whose latest model is cached
MAX_COMPARED_IDS = 200  # newest models and names with which an id that is not found is compared


class CachedModelRegistry:
    """The models, for any number of threads and event loops.

    Ids are qualified names, and so is `latest`: each owner has one. The records used last are
    cached, because a model never changes. Callers that wait for the same record share one query; a
    query that fails is not cached. Methods raise `errors.DatabaseUnavailable`.
    """

    def __init__(
        self,
        jobs: JobStore,
        cache_bytes: int = CACHE_BYTES,
        latest_seconds: float = LATEST_SECONDS,
        timer: Callable[[], float] = monotonic,
    ) -> None:
        """Cache records of `cache_bytes`, and the id of the latest for `latest_seconds`."""
        self._jobs = jobs
        self._lock = threading.Lock()
        self._known: LRUCache[str, ModelRecord] = LRUCache(cache_bytes, _size)
        self._lookups: dict[str, Future[ModelRecord]] = {}
        remembered = TTLCache[tuple[str, str | None], str | errors.Unavailable](
            MAX_RESOLVED, latest_seconds, timer
        )
        self._ask_latest = cached(remembered, condition=threading.Condition())(self._find_latest)

    def get(self, model_id: str, dataset_id: str | None = None) -> ModelRecord:
        """Return a model; `latest` is the one that was trained last, on one data set or on any.

        `latest` always queries the database. Raises `errors.NotFound`, or `NotReady` when its
        training has no result.
        """
        if is_latest(model_id):
            return self._read_latest(owner_of(model_id), dataset_id)
        lookup, mine = self._begin(model_id)
        if mine:
            self._look_up(model_id, lookup)
        return lookup.result()

    async def find(self, model_id: str, dataset_id: str | None = None) -> ModelRecord:
        """Return what `get` does without blocking the event loop, but `resolve` finds `latest`."""
        if is_latest(model_id):
            model_id = await asyncio.to_thread(self.resolve, model_id, dataset_id)
        lookup, mine = self._begin(model_id)
        if mine:
            asyncio.get_running_loop().run_in_executor(None, self._look_up, model_id, lookup)
        if lookup.done():
            return lookup.result()
        # Shielded, because a cancelled caller must not cancel the lookup of the others.
        return await asyncio.shield(asyncio.wrap_future(lookup))

    def resolve(self, model_id: str, dataset_id: str | None = None) -> str:
        """Return the id that a name stands for; that of `latest` may be `latest_seconds` old.

        Raises `errors.NotFound`, which is not cached, and `errors.Unavailable`, which is.
        """
        if not is_latest(model_id):
            return model_id
        answer = self._ask_latest(owner_of(model_id), dataset_id)
        if isinstance(answer, errors.Unavailable):
            raise error_from_wire(answer.to_wire())
        return answer

    def register(
        self,
        model_id: str,
        spec: OnnxManifest | EndpointSpec,
        file: StoredFile | None = None,
        by: Actor = SYSTEM,
        name: str | None = None,
    ) -> bool:
        """Insert a model that was not trained here; return False if a model or a job has its id.

        It becomes the next version of `name`. Raises `errors.Conflict` as `insert_model` does.
        """
        return insert_model(self._jobs.engine, model_id, spec, file, by, name)

    def delete(self, model_id: str, by: Actor = SYSTEM) -> StoredFile | None:
        """Delete a model, but not its file, which is returned.

        Its id is never used again. Raises the errors of `get`, and `errors.Gone` if it was deleted
        before.
        """
        record = self._read(model_id)
        if not delete_model(self._jobs.engine, model_id, by):
            raise deleted(model_id)
        self.forget(model_id)
        return record.file

    def forget(self, model_id: str) -> None:
        """Forget a deleted model, also one that is being looked up."""
        with self._lock:
            self._known.pop(model_id, None)
            self._lookups.pop(model_id, None)
        self._ask_latest.cache_clear()

    def newest(self, limit: int, dataset_id: str | None = None) -> list[ModelSummary]:
        """Return the newest models of the owner `default`, on one data set or on any."""
        return self.list(ModelFilter(dataset_id=dataset_id), Page(limit, "-created_at"))[0]

    def list(self, which: ModelFilter, page: Page) -> tuple[list[ModelSummary], str | None]:
        """Return models in short, and the cursor of the next page; see `list_models`."""
        return list_models(self._jobs.engine, which, page)

    def _begin(self, model_id: str) -> tuple[Future[ModelRecord], bool]:
        """Return the lookup of a model, and whether the caller has to carry it out."""
        with self._lock:
            if known := self._known.get(model_id):
                lookup: Future[ModelRecord] = Future()
                lookup.set_result(known)
                return lookup, False
            if under_way := self._lookups.get(model_id):
                return under_way, False
            lookup = self._lookups[model_id] = Future()
            return lookup, True

    def _look_up(self, model_id: str, lookup: Future[ModelRecord]) -> None:
        record: ModelRecord | None = None
        failure: BaseException | None = None
        try:
            record = self._read(model_id)
        except BaseException as error:  # noqa: BLE001  all waiting callers get it
            failure = error
        with self._lock:
            if self._lookups.get(model_id) is lookup:  # it was not forgotten meanwhile
                del self._lookups[model_id]
                if record and _size(record) <= self._known.maxsize:
                    self._known[model_id] = record
        if record:
            lookup.set_result(record)
        else:
            lookup.set_exception(failure)

    def _read(self, model_id: str) -> ModelRecord:
        if record := read_model(self._jobs.engine, model_id):
            return record
        job = self._jobs.get(model_id)
        if job is None or job.kind is not JobKind.TRAIN:
            owner = owner_of(model_id)
            newest = read_newest_ids(self._jobs.engine, owner, MAX_COMPARED_IDS)
            names = read_newest_names(self._jobs.engine, owner, MAX_COMPARED_IDS)
            known = [qualified(owner, LATEST), *names, *newest]
            meant = did_you_mean(model_id, known)
            raise errors.NotFound("model_id", f"there is no model {model_id}{meant}")
        if job.state is JobStatus.COMPLETED:
            return model_of_training(job)
        cause = f": {job.error['detail']}" if job.error else ""
        raise errors.NotReady(
            "model_id",
            f"model {model_id} cannot answer, its training is {job.state}{cause}",
            state=job.state,
        )

    def _read_latest(self, owner: str, dataset_id: str | None) -> ModelRecord:
        if record := read_latest(self._jobs.engine, owner, dataset_id):
            return record
        among = f" on data set {dataset_id}" if dataset_id else ""
        raise errors.NotFound("model_id", f"there is no trained model{among}")

    def _find_latest(self, owner: str, dataset_id: str | None) -> str | errors.Unavailable:
        try:
            return self._read_latest(owner, dataset_id).model_id
        except errors.Unavailable as error:  # cached, to spare an unavailable database
            return error


def _size(record: ModelRecord) -> int:
    return RECORD_BYTES + len(record.spec.model_dump_json()) + len(json.dumps(record.fit_summary))
