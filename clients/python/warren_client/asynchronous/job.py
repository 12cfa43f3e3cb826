"""A job: wait for it, follow it, cancel it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any

from warren_client.asynchronous.events import job_events
from warren_client.asynchronous.job_log import log_lines
from warren_client.calls import Call, get, part
from warren_client.errors import JobCancelled, JobFailed, NotReady, WaitTimeout, WarrenError
from warren_client.html import job_html
from warren_client.problems import error_of_job
from warren_client.progress import Progress, progress_bar
from warren_client.records import CANCELLED, FAILED, JobRecord, LogLine, read

if TYPE_CHECKING:
    from warren_client.asynchronous.model import AsyncModel
    from warren_client.asynchronous.warren import AsyncWarren

SHORTEST_PAUSE, LONGEST_PAUSE = 0.1, 2.0  # seconds between two looks at a job
GROWTH = 1.3
LEAST_LOOK_SECONDS = 1.0  # that the last look of a wait may take
# What the server adds to the request of a training, and would not take.
OF_ROW = ("model_id", "defaults", "unknown_keys")


class AsyncJob:
    """A job as it was when the server was asked last; `record` has all that is known of it."""

    def __init__(self, warren: AsyncWarren, record: JobRecord) -> None:
        """Show a job of a server."""
        self._warren = warren
        self.record = record

    def __repr__(self) -> str:
        return f"<{self.record.kind} job {self.id}: {self.state}>"

    def _repr_html_(self) -> str:
        """Return what a notebook shows."""
        return job_html(self.record)

    @property
    def id(self) -> str:
        """The id of the job; a training and its model have the same one."""
        return self.record.id

    @property
    def state(self) -> str:
        """`TASK_QUEUED`, `TASK_RUNNING`, `TASK_COMPLETED`, `TASK_ERROR` or `TASK_CANCELLED`."""
        return self.record.state

    @property
    def ended(self) -> bool:
        """Whether the job will not change any more."""
        return self.record.ended

    @property
    def metrics(self) -> dict[str, float] | None:
        """The metrics of a completed training."""
        return self.record.metrics

    @property
    def error(self) -> dict[str, Any] | None:
        """The error of the last attempt that failed."""
        return self.record.error

    @property
    async def model(self) -> AsyncModel:
        """The model of a completed training. Raises `NotReady` before the end."""
        if self.record.kind != "train" or self.state != "TASK_COMPLETED":
            raise NotReady(f"job {self.id} has no model: it is a {self.record.kind}, {self.state}")
        return await self._warren.models[self.id]

    async def refresh(self) -> AsyncJob:
        """Ask the server how the job is; return the job. Raises `WarrenError`."""
        return await self._look(None)

    async def wait(self, timeout: float | None = None, progress: Progress = None) -> AsyncJob:
        """Wait until the job is completed; return it.

        `progress` says whether to show a bar, by default in a terminal and in a notebook, or is a
        function that gets a `JobRecord` at each look. While the server cannot be reached, the wait
        goes on for the patience of the client.

        Raises `JobFailed`, `JobCancelled`, `WarrenError`, or `WaitTimeout` after `timeout` seconds,
        and at most a second more if the server does not answer.
        """
        patience = self._warren.patience()
        deadline = None if timeout is None else monotonic() + timeout
        pause = SHORTEST_PAUSE
        with progress_bar(progress) as show:
            while True:
                lost = 0.0
                left = None if deadline is None else deadline - monotonic()
                try:
                    await self._look(None if left is None else max(left, LEAST_LOOK_SECONDS))
                    patience.heard()
                except WarrenError as error:
                    lost = patience.pause(error)
                show(self.record)
                if self.ended:
                    return self._completed()
                left = None if deadline is None else deadline - monotonic()
                if left is not None and left <= 0:
                    raise WaitTimeout(
                        f"job {self.id} was still {self.state} after {timeout:g} s; it goes on, "
                        "and wait() may be called again"
                    )
                seconds = lost or pause
                await self._warren.transport.sleep(seconds if left is None else min(seconds, left))
                pause = min(LONGEST_PAUSE, pause * GROWTH)

    async def events(self) -> AsyncIterator[JobRecord]:
        """Yield the job as it is, and with each change until its end, through any break.

        Raises `WarrenError`, if a break lasts longer than the patience of the client.
        """
        async for record in job_events(self._warren.transport, self.id, self._warren.patience()):
            self.record = record
            yield record

    def log(self, *, follow: bool = False) -> AsyncIterator[LogLine]:
        """Yield what consumers logged about the job, the oldest line first; predictions have none.

        With `follow` wait for more until the job has ended, through any break. Raises
        `WarrenError`, with `follow` if a break lasts longer than the patience of the client.
        """
        warren = self._warren
        return log_lines(warren.transport, self.id, warren.patience(), follow=follow)

    async def cancel(self) -> AsyncJob:
        """Cancel the job: a waiting one ends at once, a running one within 2 seconds.

        Raises `JobEnded` if it has ended otherwise.
        """
        call = Call("DELETE", f"/jobs/{part(self.id)}")
        self.record = read(JobRecord, await self._warren.transport.json(call))
        return self

    async def retry(self) -> AsyncJob:
        """Train again with the request of this training; return the new job.

        Raises `WarrenError`: `NotReady` if the job is no training.
        """
        await self.refresh()
        if self.record.kind != "train" or self.record.request is None:
            raise NotReady(f"job {self.id} is a {self.record.kind}; only trainings can run again")
        asked = {name: value for name, value in self.record.request.items() if name not in OF_ROW}
        return await self._warren.train_again(asked)

    async def download(self, path: str | Path) -> Path:
        """Save the result of a completed batch job as a file; return its path.

        Raises `WarrenError` and `OSError`.
        """
        call = get(f"/jobs/{part(self.id)}/result")
        return await self._warren.transport.download(call, Path(path))

    async def _look(self, within: float | None) -> AsyncJob:
        """Ask how the job is, perhaps within so many seconds."""
        call = replace(get(f"/jobs/{part(self.id)}"), within=within)
        self.record = read(JobRecord, await self._warren.transport.json(call))
        return self

    def _completed(self) -> AsyncJob:
        if self.state == FAILED:
            cause = error_of_job(self.error)
            raise JobFailed(f"job {self.id} failed: {cause.detail}", self) from cause
        if self.state == CANCELLED:
            raise JobCancelled(f"job {self.id} was cancelled", self)
        return self
