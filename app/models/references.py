"""Find the model that a reference means: `churn`, `churn:3`, `churn@champion`, or an id."""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future
from time import monotonic
from typing import NamedTuple

import sqlalchemy as sa
from cachetools import LRUCache

from app import errors
from app.models.exact import Exact, Split, is_model, read_reference
from app.protocol.references import Reference, is_generated
from app.protocol.wire_errors import error_from_wire

CACHE_SECONDS = 1.0  # how long an answer counts; a database that is away prolongs it
MAX_CACHED = 10_000  # references, and ids that are known to be no names

_Answer = Exact | Split | errors.WarrenError


class _Known(NamedTuple):
    answer: _Answer
    since: float


class ModelReferences:
    """The models that references mean, for any number of threads and event loops.

    References have qualified names. An answer counts for a second, so that a switch is seen
    everywhere within two. While the database cannot be reached, older answers count on. Callers
    that wait for the same answer share one query. Methods raise `errors.NotFound`, `errors.Gone`
    for a version that was deleted, and `errors.DatabaseUnavailable`.
    """

    def __init__(
        self,
        engine: sa.Engine,
        seconds: float = CACHE_SECONDS,
        timer: Callable[[], float] = monotonic,
    ) -> None:
        """Cache each answer for `seconds`."""
        self._engine = engine
        self._seconds = seconds
        self._timer = timer
        self._lock = threading.Lock()
        self._known: LRUCache[str, _Known] = LRUCache(MAX_CACHED)
        self._lookups: dict[str, Future[_Answer]] = {}
        self._ids: dict[str, None] = {}  # that are those of models for good

    def is_id(self, text: str) -> bool:
        """Tell whether a text is known to be an id; this asks nobody."""
        return text in self._ids or is_generated(text)

    def is_known(self, text: str) -> bool:
        """Tell whether the answer is known, so that `resolve` does not wait."""
        return self.is_id(text) or self._fresh(text) is not None

    def resolve(self, text: str, key: str | None = None) -> Exact:
        """Return the model that a call asks; `key` chooses among the versions of a split."""
        if self.is_id(text):
            return Exact(text)
        if (answer := self._fresh(text)) is None:
            lookup, mine = self._begin(text)
            if mine:
                self._look_up(text, lookup)
            answer = lookup.result()
        return _chosen(answer, key)

    async def find(self, text: str, key: str | None = None, *, splits: bool = True) -> Exact:
        """Return what `resolve` does without blocking the event loop.

        Unless it `splits`, a name means its newest version.
        """
        if self.is_id(text):
            return Exact(text)
        if (answer := self._fresh(text)) is None:
            lookup, mine = self._begin(text)
            if mine:
                asyncio.get_running_loop().run_in_executor(None, self._look_up, text, lookup)
            # Shielded, because a cancelled caller must not cancel the lookup of the others.
            answer = await asyncio.shield(asyncio.wrap_future(lookup))
        if isinstance(answer, Split) and not splits:
            return answer.newest
        return _chosen(answer, key)

    def forget(self) -> None:
        """Forget the answers, because this process has changed a name."""
        with self._lock:
            self._known.clear()
            self._lookups.clear()

    def _fresh(self, text: str) -> _Answer | None:
        with self._lock:
            known = self._known.get(text)
        if known is None or self._timer() - known.since > self._seconds:
            return None
        return known.answer

    def _begin(self, text: str) -> tuple[Future[_Answer], bool]:
        """Return the lookup of a reference, and whether the caller has to carry it out."""
        with self._lock:
            if under_way := self._lookups.get(text):
                return under_way, False
            lookup = self._lookups[text] = Future()
            return lookup, True

    def _look_up(self, text: str, lookup: Future[_Answer]) -> None:
        began, asked = self._timer(), Reference.parse(text)
        answer: _Answer
        try:
            answer = read_reference(self._engine, asked)
            if isinstance(answer, Exact) and answer.name is None and is_model(self._engine, text):
                self._note_id(text)
        except errors.DatabaseUnavailable as error:
            with self._lock:
                known = self._known.get(text)
            is_plain = asked == Reference(text)  # it may be an id, whose model is in a cache
            answer = known.answer if known else Exact(text) if is_plain else error
        except errors.WarrenError as error:
            answer = error
        except BaseException as error:  # all waiting callers get it
            with self._lock:
                self._lookups.pop(text, None)
            lookup.set_exception(error)
            raise
        with self._lock:
            if self._lookups.get(text) is lookup:  # it was not forgotten meanwhile
                del self._lookups[text]
                self._known[text] = _Known(answer, began)
        lookup.set_result(answer)

    def _note_id(self, text: str) -> None:
        """Note an id of a model, which no name can have any more."""
        if len(self._ids) >= MAX_CACHED:
            self._ids = {}
        self._ids[text] = None


def _chosen(answer: _Answer, key: str | None) -> Exact:
    if isinstance(answer, errors.WarrenError):
        raise error_from_wire(answer.to_wire())
    return answer.choose(key) if isinstance(answer, Split) else answer
