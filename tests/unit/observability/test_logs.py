import io
import logging
import re
import sys
import threading

import pytest

from app import errors
from app.observability import logs


@pytest.fixture
def output(monkeypatch):
    """What a configured process writes to stderr."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    pika = logging.getLogger("pika").level
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    # Its handlers are pytest's: `configure` would close them.
    monkeypatch.setattr(root, "handlers", [])
    logs.configure("INFO")
    yield stream
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.getLogger("pika").setLevel(pika)


def lines(output):
    return output.getvalue().splitlines()


def test_every_line_of_a_job_carries_its_id(output):
    with logs.job_context("job-7"):
        logging.getLogger("app.anything").info("fitted")
        logging.getLogger("a.library").warning("slow")

    assert len(lines(output)) == 2
    assert all("[job-7]" in line for line in lines(output))


def test_a_line_of_no_job_carries_a_dash(output):
    with logs.job_context("job-7"):
        pass
    logging.getLogger("app").info("started")

    (line,) = lines(output)
    assert "[-] started" in line


def test_a_job_inside_a_job_gives_back_the_name(output):
    with logs.job_context("outer"):
        with logs.job_context("inner"):
            logging.getLogger("app").info("1")
        logging.getLogger("app").info("2")

    assert [re.search(r"\[(.*?)\]", line)[1] for line in lines(output)] == ["inner", "outer"]


def test_an_id_forges_no_line(output):
    with logs.job_context("a\n2026-01-01 CRITICAL \x1b[31m\u2028b"):
        logging.getLogger("app").info("on")

    (line,) = lines(output)
    assert "[a?2026-01-01 CRITICAL ?[31m?b] on" in line


def test_a_job_that_raises_gives_back_the_name(output):
    with pytest.raises(KeyError), logs.job_context("job-7"):
        raise KeyError
    logging.getLogger("app").info("on")

    assert "[-] on" in lines(output)[0]


def test_jobs_of_two_threads_keep_their_own_names(output):
    both = threading.Barrier(2)

    def run(name):
        with logs.job_context(name):
            both.wait(10)
            logging.getLogger("app").info("said by %s", name)
            both.wait(10)

    threads = [threading.Thread(target=run, args=(name,)) for name in ("one", "two")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(
        re.search(r"\[(\w+)\] said by (\w+)", line).groups() for line in lines(output)
    ) == [
        ("one", "one"),
        ("two", "two"),
    ]


def test_a_line_says_when_who_and_how_bad(output):
    logging.getLogger("app.anything").warning("odd")

    (line,) = lines(output)
    assert re.fullmatch(
        r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z WARNING MainThread app\.anything \[-\] odd", line
    )


def test_times_are_utc(output):
    handler = logging.getLogger().handlers[0]
    record = logging.makeLogRecord({"created": 0.0, "msecs": 5.0, "msg": "x"})

    handler.filter(record)

    assert handler.format(record).startswith("1970-01-01T00:00:00.005Z")


def test_the_level_is_kept(output):
    logging.getLogger("app").debug("detail")

    assert lines(output) == []


def test_pika_does_not_tell_what_our_own_lines_tell(output):
    logging.getLogger("pika.adapters").error("a long traceback")

    assert lines(output) == []


TASK = re.compile(r"\[job-7\] END (.*) elapsed_ms=\d+\.\d(.*)")


def test_a_task_is_logged_at_its_start_and_end(output):
    logger = logging.getLogger("app.anything")
    with logs.log_task(logger, "job-7", "predict model=m"):
        logger.info("in between")
    with logs.log_task(logger, "job-7", "train model=m") as task:
        task.status = "TASK_QUEUED"

    start, between, end, _, queued = lines(output)
    assert start.endswith("[job-7] START predict model=m")
    assert between.endswith("[job-7] in between")
    assert TASK.search(end).groups() == ("predict model=m TASK_COMPLETED", "")
    assert TASK.search(queued).groups() == ("train model=m TASK_QUEUED", "")


@pytest.mark.parametrize(
    ("error", "kind"),
    [(errors.NotFound(None, "no"), "not_found"), (KeyError("x"), "KeyError")],
)
def test_a_task_that_fails_says_of_what(output, error, kind):
    with (
        pytest.raises(type(error)),
        logs.log_task(logging.getLogger("app"), "job-7", "predict model=m"),
    ):
        raise error

    assert TASK.search(lines(output)[1]).groups() == ("predict model=m TASK_ERROR", f" {kind}")
