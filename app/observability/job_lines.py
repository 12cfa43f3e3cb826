"""Keep in memory what is logged about an attempt at a job, until somebody has written it."""

import logging
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import UTC, datetime

from app.errors.base import escaped

FIRST, LAST = 100, 400  # lines of a log that are kept; those between are left out
MAX_CHARACTERS = 1_000  # of a line; the rest is cut off
_SOURCES = ("app", "py")  # loggers of Warren and of warnings; what libraries log is left out

_kept: ContextVar["KeptLines | None"] = ContextVar("job_lines", default=None)


@dataclass(frozen=True)
class LogLine:
    """A line, and its number in the log, from 1."""

    number: int
    time: datetime
    level: str
    text: str


@dataclass(frozen=True)
class UnwrittenLines:
    """Lines of a log behind the one of the number `after`, to the one of the number `last`.

    Some may be left out.
    """

    after: int
    last: int
    lines: Sequence[LogLine]

    @property
    def count(self) -> int:
        """How many lines there were, with those that are left out."""
        return self.last - self.after


class KeptLines:
    """The lines of one attempt that are not written yet: the first ones and the last ones.

    Any thread may call its methods.
    """

    def __init__(self, first: int = FIRST, last: int = LAST) -> None:
        """Begin with no line; at most `first` and `last` lines are kept."""
        self._first = first
        self._last = last
        self._lines: list[LogLine] = []
        self._count = 0
        self._written = 0
        self._lock = threading.Lock()

    def add(self, time: datetime, level: str, text: str) -> None:
        """Add a line. Characters that cannot be seen are escaped, and a long line is cut."""
        text = escaped(text[: MAX_CHARACTERS + 1])  # which may make it longer
        if len(text) > MAX_CHARACTERS:
            text = f"{text[: MAX_CHARACTERS - 1]}…"
        with self._lock:
            self._count += 1
            self._lines.append(LogLine(self._count, time, level, text))
            if len(self._lines) > self._first + self._last:
                del self._lines[self._first]

    def unwritten(self) -> UnwrittenLines:
        """Return the lines that are not written yet."""
        with self._lock:
            return UnwrittenLines(self._written, self._count, list(self._lines))

    def mark_written(self, last: int) -> None:
        """Forget the lines up to the one of this number."""
        with self._lock:
            self._written = last
            self._lines = [each for each in self._lines if each.number > last]


@contextmanager
def keep_lines(lines: KeptLines) -> Iterator[None]:
    """Add to `lines` what is logged in this block, and by threads that have its context."""
    token = _kept.set(lines)
    try:
        yield
    finally:
        _kept.reset(token)


class JobLineHandler(logging.Handler):
    """Adds records of at least INFO to the lines that their context keeps, if it keeps any.

    Tracebacks are left out: they are in the consumer's log.
    """

    def __init__(self) -> None:
        """Take records of at least INFO."""
        super().__init__(logging.INFO)

    def emit(self, record: logging.LogRecord) -> None:
        """Add a record."""
        lines = _kept.get()
        if lines is None or record.name.partition(".")[0] not in _SOURCES:
            return
        try:
            time = datetime.fromtimestamp(record.created, UTC)
            lines.add(time, record.levelname, record.getMessage())
        except Exception:  # noqa: BLE001  as all handlers of logging do
            self.handleError(record)


def keep_job_lines() -> None:
    """Let the lines of jobs be kept; only the consumer's main calls this, after `configure`."""
    logging.getLogger().addHandler(JobLineHandler())
