"""Logging: `configure` is called by mains, and every line of a job carries its id."""

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

_job_id: ContextVar[str] = ContextVar("job", default="-")


@contextmanager
def job_context(job_id: str) -> Iterator[None]:
    """Name the job that the lines logged inside this block belong to.

    It may be a stranger's: what might look like the end of a line becomes `?`.
    """
    token = _job_id.set("".join(each if each.isprintable() else "?" for each in job_id))
    try:
        yield
    finally:
        _job_id.reset(token)


def current_job() -> str:
    """Return the id of the job whose lines are logged here and now; "-" outside of all jobs."""
    return _job_id.get()


@dataclass
class LoggedTask:
    """What is done for a job. `status` is that of its end, unless it ends with an error."""

    status: str = "TASK_COMPLETED"


@contextmanager
def log_task(logger: logging.Logger, job_id: str, what: str) -> Iterator[LoggedTask]:
    """Log START and END of this block, in which every line carries the job's id.

    `what` is a word and what it is about: `predict model=ID`. The END has the status, the
    milliseconds, and the type of the error if it is one.
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


def log_end(logger: logging.Logger, what: str, status: str, began: float, error: str = "") -> None:
    """Log the END of what began at `began`, by `time.perf_counter`; `error` is its type."""
    elapsed = (time.perf_counter() - began) * 1000
    logger.info("END %s %s elapsed_ms=%.1f%s", what, status, elapsed, error and f" {error}")


class _JobFilter(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        record.job = _job_id.get()
        return True


def configure(level: str) -> None:
    """Log to stderr, one line a record, times in UTC."""
    formatter = logging.Formatter(
        "%(asctime)s.%(msecs)03dZ %(levelname)s %(threadName)s %(name)s [%(job)s] %(message)s",
        "%Y-%m-%dT%H:%M:%S",
    )
    formatter.converter = time.gmtime
    handler = logging.StreamHandler()
    handler.setFormatter(formatter)
    handler.addFilter(_JobFilter())
    logging.basicConfig(level=level, handlers=[handler], force=True)
    for library in ("pika", "aio_pika", "aiormq"):  # our own lines say what was lost and why
        logging.getLogger(library).setLevel(logging.CRITICAL)
