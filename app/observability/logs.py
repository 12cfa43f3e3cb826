"""Configure logging, and put the job's id into every line of a job."""

import logging
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from dataclasses import dataclass

_job_id: ContextVar[str] = ContextVar("job", default="-")


@contextmanager
def job_context(job_id: str) -> Iterator[None]:
    """Log the lines of this block under the job's id.

    Clients choose ids, so unprintable characters, such as line ends, become `?`.
    """
    token = _job_id.set("".join(each if each.isprintable() else "?" for each in job_id))
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


def configure(level: str) -> None:
    """Log to stderr, one line per record, with times in UTC; only mains call this."""
    formatter = logging.Formatter(
        "%(asctime)s.%(msecs)03dZ %(levelname)s %(threadName)s %(name)s [%(job)s] %(message)s",
        "%Y-%m-%dT%H:%M:%S",
    )
    formatter.converter = time.gmtime
    handler = logging.StreamHandler()
    handler.setFormatter(formatter)
    handler.addFilter(_JobFilter())
    logging.basicConfig(level=level, handlers=[handler], force=True)
    for library in ("pika", "aio_pika", "aiormq"):  # Warren logs lost connections itself
        logging.getLogger(library).setLevel(logging.CRITICAL)
