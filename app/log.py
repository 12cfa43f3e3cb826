"""Logging: `configure` is called by mains, and every line of a job carries its id."""

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_job: ContextVar[str] = ContextVar("job", default="-")


@contextmanager
def job(job_id: str) -> Iterator[None]:
    """Name the job that the lines logged inside this block belong to."""
    token = _job.set(job_id)
    try:
        yield
    finally:
        _job.reset(token)


class _Job(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        record.job = _job.get()
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
    handler.addFilter(_Job())
    logging.basicConfig(level=level, handlers=[handler], force=True)
    logging.getLogger("pika").setLevel(logging.CRITICAL)  # our own lines say what was lost and why
