"""The watch for deleted models: a thread that has the caches of a process forget them."""

import logging
import threading
from collections.abc import Callable, Sequence
from datetime import datetime

import sqlalchemy as sa

from app import errors
from app.models.deletion import read_deleted

WATCH_SECONDS = 0.5

log = logging.getLogger(__name__)


class DeletionWatch(threading.Thread):
    """Asks the database which models were deleted, by whatever process.

    While the database is unavailable, the caches keep the models. They forget those that were
    deleted meanwhile when it is back.
    """

    def __init__(
        self,
        engine: sa.Engine,
        caches: Sequence[Callable[[str], None]],
        seconds: float = WATCH_SECONDS,
    ) -> None:
        """Create the thread without starting it.

        It calls each of the `caches` with the id of each deleted model, in their order: a model
        that one cache forgets must not come back from another one.
        """
        super().__init__(name="deletion-watch", daemon=True)
        self._engine = engine
        self._caches = caches
        self._seconds = seconds
        self._since: datetime | None = None
        self._known: set[str] = set()
        self._stopping = threading.Event()

    def stop(self) -> None:
        """End the thread soon; `join` waits for it."""
        self._stopping.set()

    def run(self) -> None:
        """Run the thread's main loop."""
        while True:
            try:
                self.look()
            except errors.Unavailable as error:
                log.warning("deleted models are not known now: %s", error)
            except Exception:  # a bug must not end the watch
                log.exception("deleted models cannot be forgotten")
            if self._stopping.wait(self._seconds):
                return

    def look(self) -> None:
        """Look once. Raises `errors.DatabaseUnavailable`."""
        found, self._since = read_deleted(self._engine, self._since)
        for model_id in set(found) - self._known:
            log.info("model %s was deleted", model_id)
            for forget in self._caches:
                forget(model_id)
        self._known = set(found)
