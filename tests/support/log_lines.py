"""What is logged, with the job that each line belongs to."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from app.observability.logs import current_job

Line = tuple[int, str, str]  # level, job, message


class _Keeping(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.lines: list[Line] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append((record.levelno, current_job(), record.getMessage()))


@contextmanager
def kept_lines(logger: str) -> Iterator[list[Line]]:
    """Keep what a logger logs during the block."""
    keeping, source = _Keeping(), logging.getLogger(logger)
    source.addHandler(keeping)
    level = source.level
    source.setLevel(logging.DEBUG)
    try:
        yield keeping.lines
    finally:
        source.removeHandler(keeping)
        source.setLevel(level)
