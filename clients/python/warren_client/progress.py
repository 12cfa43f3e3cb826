"""Show how far a job is: a bar in a terminal or a notebook, or nothing."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import IO, Any

from warren_client.records import JobRecord

Show = Callable[[JobRecord], None]
Progress = bool | Show | None
WIDTH = 30
_WORDS = {
    "TASK_QUEUED": "waits",
    "TASK_RUNNING": "runs",
    "TASK_COMPLETED": "completed",
    "TASK_ERROR": "failed",
    "TASK_CANCELLED": "cancelled",
}


@contextmanager
def progress_bar(progress: Progress, stream: IO[str] | None = None) -> Iterator[Show]:
    """Give a function that shows a job.

    `progress` is that function, or says whether to show a bar; with None there is one in a notebook
    and where `stream` (standard error) is a terminal.
    """
    if callable(progress):
        yield progress
        return
    stream = stream or sys.stderr
    if progress is False or (progress is None and not _in_notebook() and not stream.isatty()):
        yield lambda _: None
    elif _in_notebook():
        yield _NotebookLine().show
    else:
        line = _TerminalLine(stream)
        try:
            yield line.show
        finally:
            line.end()


def describe(job: JobRecord) -> str:
    """Return a line about a job: a bar, its state, and the seconds left."""
    words = _WORDS.get(job.state, job.state)
    if job.state == "TASK_QUEUED" and job.queue_position:
        words += f", {job.queue_position} in the queue"
    if job.seconds_left is not None and not job.ended:
        words += f", {job.seconds_left:.0f} s left"
    done = 1.0 if job.state == "TASK_COMPLETED" else job.progress
    if done is None:
        return f"{job.kind} {job.id[:8]} {words}"
    full = round(WIDTH * min(1.0, max(0.0, done)))
    return f"{job.kind} {job.id[:8]} [{'#' * full}{'.' * (WIDTH - full)}] {done:4.0%} {words}"


class _TerminalLine:
    """A line that is written again and again."""

    def __init__(self, stream: IO[str]) -> None:
        self._stream = stream
        self._shown = ""

    def show(self, job: JobRecord) -> None:
        line = describe(job)
        if line != self._shown:
            self._stream.write("\r" + line.ljust(len(self._shown)))
            self._stream.flush()
            self._shown = line

    def end(self) -> None:
        if self._shown:
            self._stream.write("\n")
            self._stream.flush()


class _NotebookLine:
    """An output of a cell that is replaced."""

    def __init__(self) -> None:
        self._handle: Any = None

    def show(self, job: JobRecord) -> None:
        display = sys.modules["IPython"].display
        text = display.Code(describe(job), language="text")
        if self._handle is None:
            self._handle = display.display(text, display_id=True)
        else:
            self._handle.update(text)


def _in_notebook() -> bool:
    """Tell whether a kernel of Jupyter runs this code; a terminal's IPython is none."""
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    return type(shell).__name__ == "ZMQInteractiveShell"
