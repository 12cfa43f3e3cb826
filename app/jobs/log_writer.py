"""A thread that writes what is logged about attempts into the logs of their jobs."""

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import monotonic

import sqlalchemy as sa

from app import errors
from app.jobs.job_log import LoggedAttempt, are_written, write_lines
from app.observability.job_lines import KeptLines, UnwrittenLines, keep_lines

log = logging.getLogger(__name__)

WRITE_SECONDS = 1.0
KEEP_SECONDS = 60.0  # how long the lines of an attempt that has ended wait for the database


class _Log:
    """The lines of an attempt, and when it ended, by the clock of the writer."""

    def __init__(self, of: LoggedAttempt) -> None:
        self.of = of
        self.lines = KeptLines()
        self.ended: float | None = None
        self._in_doubt: tuple[int, range] | None = None  # the last line, and the numbers in the job

    def write(self, engine: sa.Engine, new: UnwrittenLines, *, ended: bool) -> None:
        """Write new lines, each once, even if the answer to an earlier commit was lost."""
        if self._in_doubt:
            last, numbers = self._in_doubt
            if are_written(engine, self.of, numbers):
                self.forget(last)
                new = self.lines.unwritten()
                if not new.count and not ended:
                    return

        def numbered(numbers: range) -> None:
            self._in_doubt = new.last, numbers

        self._in_doubt = None
        write_lines(engine, self.of, new, ended=ended, numbered=numbered)
        self.forget(new.last)

    def forget(self, last: int) -> None:
        """Take the lines up to the one of this number for done."""
        self.lines.mark_written(last)
        self._in_doubt = None


class JobLogWriter(threading.Thread):
    """Writes the new lines of each attempt every `seconds`, and at the end of the attempt.

    No attempt waits for it. While the database is unavailable, the lines wait in memory; they are
    dropped `keep_seconds` after the end of their attempt.
    """

    def __init__(
        self,
        engine: sa.Engine,
        seconds: float = WRITE_SECONDS,
        keep_seconds: float = KEEP_SECONDS,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        """Create the thread without starting it; `clock` returns monotonic seconds."""
        super().__init__(name="job-logs", daemon=True)
        self._engine = engine
        self._seconds = seconds
        self._keep_seconds = keep_seconds
        self._clock = clock
        self._logs: list[_Log] = []
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._stopping = threading.Event()
        self._is_away = False

    def stop(self) -> None:
        """End once the lines of all attempts are written or dropped; `join` waits for it."""
        self._stopping.set()
        self._wake.set()

    @contextmanager
    def kept(self, of: LoggedAttempt) -> Iterator[None]:
        """Write what is logged in this block, and by threads that have its context."""
        made = _Log(of)
        with self._lock:
            self._logs.append(made)
        try:
            with keep_lines(made.lines):
                yield
        finally:
            made.ended = self._clock()
            self._wake.set()

    def run(self) -> None:
        """Run the thread's main loop."""
        while self._logs or not self._stopping.is_set():
            self._wake.wait(self._seconds)
            self._wake.clear()
            self.write()

    def write(self) -> None:
        """Write what is new of all logs; drop lines that waited too long."""
        with self._lock:
            logs = list(self._logs)
        reachable = True
        for each in logs:
            ended = each.ended  # read before the lines, so that these are the last ones
            reachable = reachable and self._try(each, ended=ended is not None)
            if ended is None:
                continue
            if not reachable:
                if self._clock() < ended + self._keep_seconds and not self._stopping.is_set():
                    continue
                count = each.lines.unwritten().count
                log.warning("%d lines of the log of job %s are dropped", count, each.of.job_id)
            with self._lock:
                self._logs.remove(each)

    def _try(self, each: _Log, *, ended: bool) -> bool:
        """Write the new lines of a log; return False if the database is unavailable."""
        new = each.lines.unwritten()
        if not new.count and not ended:
            return True
        try:
            each.write(self._engine, new, ended=ended)
        except errors.Unavailable as error:
            if not self._is_away:
                log.warning("the logs of jobs wait in memory: %s", error)
            self._is_away = True
            return False
        except Exception:  # a bug must not end the thread, nor come again and again
            log.exception("lines of the log of job %s are dropped", each.of.job_id)
            each.forget(new.last)
        self._is_away = False
        return True
