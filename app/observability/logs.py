"""Configure logging, escape what is logged, and put the job's id into every line of a job."""

import json
import logging
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from dataclasses import dataclass
from types import TracebackType
from typing import Literal

from app.errors.base import escaped
from app.observability.tracing import trace_ids

log = logging.getLogger(__name__)

_job_id: ContextVar[str] = ContextVar("job", default="-")


@contextmanager
def job_context(job_id: str) -> Iterator[None]:
    """Log the lines of this block under the job's id."""
    token = _job_id.set(job_id)
    try:
        yield
    finally:
        _job_id.reset(token)


def current_job() -> str:
    """Return the id of the current job; "-" outside a job."""
    return _job_id.get()


@dataclass
class LoggedTask:
    """A task of a job. Its END is logged with `status`, or with TASK_ERROR if it raises."""

    status: str = "TASK_COMPLETED"


@contextmanager
def log_task(logger: logging.Logger, job_id: str, what: str) -> Iterator[LoggedTask]:
    """Log START and END of this block, and all its lines under the job's id.

    `what` names the task and its subject, for example `predict model=ID`. The END has the status,
    the duration in milliseconds, and the type of the error if there is one.
    """
    began = time.perf_counter()
    task, error = LoggedTask(), ""
    with job_context(job_id):
        logger.info("START %s", what)
        try:
            yield task
        except BaseException as raised:
            task.status = "TASK_ERROR"
            error = getattr(raised, "type", type(raised).__name__)
            raise
        finally:
            log_end(logger, what, task.status, began, error)


def log_prediction(
    logger: logging.Logger, job_id: str | None, model_id: str
) -> AbstractContextManager[object]:
    """Log START and END of a prediction as `log_task` does, or nothing if it has no job's id."""
    return log_task(logger, job_id, f"predict model={model_id}") if job_id else nullcontext()


def log_end(logger: logging.Logger, what: str, status: str, began: float, error: str = "") -> None:
    """Log the END of a task that began at `began`, a time of `time.perf_counter`.

    `error` is the type of its error, empty if there is none.
    """
    elapsed = (time.perf_counter() - began) * 1000
    logger.info("END %s %s elapsed_ms=%.1f%s", what, status, elapsed, error and f" {error}")


class _JobFilter(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        record.job = _job_id.get()
        return True


class LineFormatter(logging.Formatter):
    """Formats a record as one line, with times in UTC; the lines of a traceback are indented.

    Clients choose ids, names and values that are logged. Characters that cannot be seen are
    escaped, such as line ends and those that move a terminal's cursor. So nobody can write a line
    that looks like one of Warren's.
    """

    def __init__(self) -> None:
        """Begin each line with its time, level, thread, logger and job."""
        super().__init__(
            "%(asctime)s.%(msecs)03dZ %(levelname)s %(threadName)s %(name)s [%(job)s] %(message)s",
            "%Y-%m-%dT%H:%M:%S",
        )
        self.converter = time.gmtime

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802  logging's name
        """Return the line of a record, without its traceback."""
        return escaped(super().formatMessage(record))

    def format(self, record: logging.LogRecord) -> str:
        """Return the line of a record, and the lines of its traceback."""
        first, *others = super().format(record).split("\n")
        return "\n".join((first, *(f"    {escaped(each)}" for each in others)))


class JsonFormatter(logging.Formatter):
    """Formats a record as a JSON object in one line, with the ids of its trace if it has one."""

    def __init__(self) -> None:
        """Write times in UTC."""
        super().__init__(datefmt="%Y-%m-%dT%H:%M:%S")
        self.converter = time.gmtime

    def format(self, record: logging.LogRecord) -> str:
        """Return the line of a record."""
        line = {
            "time": f"{self.formatTime(record, self.datefmt)}.{record.msecs:03.0f}Z",
            "level": record.levelname,
            "thread": record.threadName,
            "logger": record.name,
            "message": record.getMessage(),
        }
        if (job := getattr(record, "job", "-")) != "-":
            line["job"] = job
        if found := trace_ids():
            line["trace_id"], line["span_id"] = found
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line)


def configure(level: str, form: Literal["text", "json"] = "text") -> None:
    """Log to stderr as `LineFormatter` or `JsonFormatter` says; only mains call this.

    Warnings of Python, and errors that end a thread or the process, are logged, too.
    """
    handler = logging.StreamHandler()
    handler.setFormatter(JsonFormatter() if form == "json" else LineFormatter())
    handler.addFilter(_JobFilter())
    logging.basicConfig(level=level, handlers=[handler], force=True)
    logging.captureWarnings(capture=True)
    sys.excepthook = _log_uncaught
    threading.excepthook = _log_uncaught_of_thread
    for library in ("pika", "aio_pika", "aiormq"):  # Warren logs lost connections itself
        logging.getLogger(library).setLevel(logging.CRITICAL)


def _log_uncaught(
    kind: type[BaseException], error: BaseException, traceback: TracebackType | None
) -> None:
    log.critical("an error ends this process", exc_info=(kind, error, traceback))


def _log_uncaught_of_thread(uncaught: threading.ExceptHookArgs) -> None:
    if not isinstance(error := uncaught.exc_value, SystemExit | None):
        details = (uncaught.exc_type, error, uncaught.exc_traceback)
        log.critical("an error ends this thread", exc_info=details)
