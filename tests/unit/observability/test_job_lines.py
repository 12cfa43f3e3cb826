"""Which lines are kept for the log of a job, and how."""

import logging
import threading
from collections.abc import Iterator
from contextvars import copy_context
from datetime import UTC, datetime

import pytest

from app.observability.job_lines import (
    MAX_CHARACTERS,
    JobLineHandler,
    KeptLines,
    keep_lines,
)

NOW = datetime(2026, 1, 31, tzinfo=UTC)
LOGGER = "app.test_job_lines"


@pytest.fixture
def logger() -> Iterator[logging.Logger]:
    """A logger of Warren's that has the handler."""
    handler, made = JobLineHandler(), logging.getLogger()
    made.addHandler(handler)
    found = logging.getLogger(LOGGER)
    found.setLevel(logging.DEBUG)
    yield found
    made.removeHandler(handler)
    found.setLevel(logging.NOTSET)


def texts(lines: KeptLines) -> list[str]:
    return [each.text for each in lines.unwritten().lines]


def test_lines_of_a_block_are_kept_from_info_on(logger: logging.Logger) -> None:
    lines = KeptLines()
    logger.info("before")
    with keep_lines(lines):
        logger.debug("too fine")
        logger.info("fit of %d rows", 3)
        logger.error("bad")
    logger.info("behind")

    found = lines.unwritten()
    assert [(each.number, each.level, each.text) for each in found.lines] == [
        (1, "INFO", "fit of 3 rows"),
        (2, "ERROR", "bad"),
    ]
    assert (found.after, found.last, found.count) == (0, 2, 2)
    assert abs((found.lines[0].time - datetime.now(UTC)).total_seconds()) < 60


def test_a_thread_with_the_context_adds_lines_and_others_add_none(logger: logging.Logger) -> None:
    lines = KeptLines()
    with keep_lines(lines):
        context = copy_context()
    for target in (lambda: context.run(logger.info, "of the job"), lambda: logger.info("else")):
        thread = threading.Thread(target=target)
        thread.start()
        thread.join()
    assert texts(lines) == ["of the job"]


def test_what_libraries_log_is_left_out_but_for_warnings_of_python(logger: logging.Logger) -> None:
    lines = KeptLines()
    with keep_lines(lines):
        logging.getLogger("botocore.endpoint").warning("a link with a signature")
        logging.getLogger("py.warnings").warning("ConvergenceWarning")
        logging.getLogger("application").warning("of somebody")
    assert texts(lines) == ["ConvergenceWarning"]


def test_a_traceback_is_left_out(logger: logging.Logger) -> None:
    lines = KeptLines()
    with keep_lines(lines):
        try:
            raise ValueError("secret")
        except ValueError:
            logger.exception("attempt 1 failed")
    assert texts(lines) == ["attempt 1 failed"]


def test_a_line_is_one_line_and_not_too_long() -> None:
    lines = KeptLines()
    for text in ("a\nb\x1b[2K\0\ud800", "x" * 1_000, "y" * 2_000, "\0" * 1_001):
        lines.add(NOW, "INFO", text)
    assert texts(lines) == [
        r"a\nb\u001b[2K\u0000\ud800",
        "x" * MAX_CHARACTERS,
        "y" * (MAX_CHARACTERS - 1) + "…",
        (r"\u0000" * 167)[: MAX_CHARACTERS - 1] + "…",
    ]


def test_the_first_and_the_last_lines_are_kept() -> None:
    lines = KeptLines(first=2, last=3)
    for number in range(1, 11):
        lines.add(NOW, "INFO", str(number))
    found = lines.unwritten()
    assert texts(lines) == ["1", "2", "8", "9", "10"]
    assert [each.number for each in found.lines] == [1, 2, 8, 9, 10]
    assert found.count == 10


def test_only_new_lines_are_unwritten() -> None:
    lines = KeptLines()
    lines.add(NOW, "INFO", "a")
    read = lines.unwritten()
    lines.add(NOW, "INFO", "b")
    lines.mark_written(read.last)
    assert texts(lines) == ["b"]
    assert (lines.unwritten().after, lines.unwritten().last) == (1, 2)
    lines.mark_written(2)
    assert lines.unwritten().count == 0
