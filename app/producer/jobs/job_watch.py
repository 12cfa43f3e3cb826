"""Watch jobs for all streams of events together, so that a stream costs no query of its own."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from itertools import chain

from app import errors
from app.concurrency import fail, run_in_thread
from app.jobs.store import JobStore

POLL_SECONDS = 0.5  # between two reads of the versions


@dataclass(frozen=True)
class Shown:
    """A job as an event shows it: the JSON of its view, its version, and whether it has ended.

    `id` is its qualified name.
    """

    id: str
    text: str
    version: int
    ended: bool


@dataclass(frozen=True, eq=False)
class _Waiting:
    """A stream that has shown the version `known`; it stops if `closing` returns true."""

    known: int
    closing: Callable[[], bool]
    changed: asyncio.Future[None]


class JobWatch:
    """Reads the versions of all jobs that are watched in one query. It belongs to one event loop.

    Streams that show the same job at the same time share what is read.
    """

    def __init__(
        self, jobs: JobStore, show: Callable[[str, str], Shown], seconds: float = POLL_SECONDS
    ) -> None:
        """Read the versions every `seconds`; `show` reads a job for an owner, in a thread."""
        self._jobs = jobs
        self._show = show
        self._seconds = seconds
        self._waiting: dict[str, list[_Waiting]] = {}
        self._shows: dict[tuple[str, str], asyncio.Task[Shown]] = {}
        self._task: asyncio.Task[None] | None = None

    async def changed(self, job_id: str, known: int, closing: Callable[[], bool]) -> None:
        """Wait until a job has another version than `known`, or is deleted, or `closing` is true.

        Raises `errors.WarrenError` if the watch fails.
        """
        waiting = _Waiting(known, closing, asyncio.get_running_loop().create_future())
        self._waiting.setdefault(job_id, []).append(waiting)
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._watch(), name="job watch")
        await waiting.changed

    async def show(self, job_id: str, owner: str) -> Shown:
        """Read a job as it is now, with names as `owner` has them.

        The result is shared with others of this owner who ask for it at the same time.

        Raises `errors.NotFound` or `Unavailable`.
        """
        key = job_id, owner
        task = self._shows.get(key)
        if task is None:
            task = asyncio.create_task(run_in_thread(self._show, job_id, owner))
            self._shows[key] = task
            task.add_done_callback(lambda _: self._shows.pop(key))
        return await asyncio.shield(task)

    async def _watch(self) -> None:
        """Read the versions of the jobs as long as a stream waits for one."""
        try:
            await self._poll()
        except Exception:  # a bug must not leave streams waiting
            for each in chain.from_iterable(self._waiting.values()):
                fail(each.changed, errors.WarrenError())
            self._waiting.clear()
            raise

    async def _poll(self) -> None:
        while self._waiting:
            await asyncio.sleep(self._seconds)
            versions: dict[str, int] | None = None  # unknown while the database is unavailable
            with suppress(errors.Unavailable):
                versions = await run_in_thread(self._jobs.versions, list(self._waiting))
            for job_id, every in list(self._waiting.items()):
                self._waiting[job_id] = [
                    each for each in every if not _told(each, job_id, versions)
                ]
                if not self._waiting[job_id]:
                    del self._waiting[job_id]


def _told(waiting: _Waiting, job_id: str, versions: dict[str, int] | None) -> bool:
    """Wake a stream if its job has changed or it is closing; return whether it waits no more."""
    if waiting.changed.done():  # it was cancelled
        return True
    new = versions is not None and versions.get(job_id) != waiting.known
    if new or waiting.closing():
        waiting.changed.set_result(None)
        return True
    return False
