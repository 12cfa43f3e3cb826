import io
import json
import logging
import re
import sys
import threading
import warnings

import pytest

from app import errors
from app.observability import logs, tracing
from tests.support.spans import SENT, ids, named, recorded


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
    # It sets these for the whole process.
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    monkeypatch.setattr(threading, "excepthook", threading.excepthook)
    logs.configure("INFO")
    yield stream
    logging.captureWarnings(capture=False)
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
    assert r"[a\n2026-01-01 CRITICAL \u001b[31m\u2028b] on" in line


# A line of Warren's own, after each way to begin a line, or to write over one.
FORGED = "2026-01-01T00:00:00.000Z INFO train-1 app.jobs [job-8] END train TASK_COMPLETED"
BREAKS = [*"\n\r\v\f\x1c\x1d\x1e\x85\u2028\u2029\b\x00\x7f", "\r\n", "\x1b[2K\x1b[1A", "\x9b2K"]
LINE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z [A-Z]+ \S+ \S+ \[")


def seen(output):
    """What is in the log, if all of it is visible; else the test fails."""
    found = output.getvalue().split("\n")
    assert all(line.isprintable() for line in found)
    found[-1].encode()
    return found[:-1]


@pytest.mark.parametrize("breaking", BREAKS, ids=ascii)
def test_what_is_logged_forges_no_line(output, breaking):
    logging.getLogger("app").warning("no column %s", f"a{breaking}{FORGED}")

    (line,) = seen(output)
    assert LINE.match(line)


@pytest.mark.parametrize("breaking", BREAKS, ids=ascii)
def test_a_traceback_forges_no_line(output, breaking):
    try:
        raise KeyError("a") from ValueError(f"a{breaking}{FORGED}")
    except KeyError:
        logging.getLogger("app").exception("failed", stack_info=True)

    first, *others = seen(output)
    assert LINE.match(first)
    assert any(FORGED in line for line in others)
    assert all(line.startswith("    ") for line in others)
    assert "    Traceback (most recent call last):" in others


def test_text_that_is_no_unicode_and_text_that_turns_the_line_are_escaped(output):
    said = logging.LogRecord("app", logging.INFO, "", 1, "%s", ("\ud800 \u202etxt.exe",), None)
    logging.getLogger().handlers[0].handle(said)  # pytest's could not tell of it

    (line,) = seen(output)
    assert line.endswith(r"[-] \ud800 \u202etxt.exe")


def test_letters_of_all_languages_and_backslashes_stay_as_they_are(output):
    logging.getLogger("app").info("%s", r"größe 身長 C:\new 😀")

    assert lines(output)[0].endswith(r"[-] größe 身長 C:\new 😀")


def test_what_ends_a_thread_forges_no_line(output):
    def fail():
        raise ValueError(f"a\n{FORGED}")

    thread = threading.Thread(target=fail)
    thread.start()
    thread.join()

    first, *others = seen(output)
    assert first.endswith(" app.observability.logs [-] an error ends this thread")
    assert all(line.startswith("    ") for line in others)


def test_what_ends_the_process_forges_no_line(output):
    error = ValueError(f"a\n{FORGED}")
    sys.excepthook(type(error), error, None)

    first, *others = seen(output)
    assert first.endswith("[-] an error ends this process")
    assert others == ["    ValueError: a", f"    {FORGED}"]


@pytest.mark.filterwarnings("always")
def test_a_warning_of_python_is_one_line(output):
    warnings.warn(f"no column a\n{FORGED}", UserWarning, stacklevel=1)

    (line,) = seen(output)
    assert " WARNING MainThread py.warnings [-] " in line


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


@pytest.fixture
def objects(output):
    """What a process that logs JSON writes, as objects."""
    logs.configure("INFO", "json")
    return lambda: [json.loads(line) for line in lines(output)]


def test_json_is_an_object_a_line_with_the_job_and_the_trace(objects):
    log = logging.getLogger("app.x")
    with recorded() as spans:
        with tracing.span("s", parents=[SENT]), logs.job_context("job-7"):
            log.warning("two\nlines %s", "é")
        log.info("after")
        trace, span, _ = ids(named(spans)["s"])

    first, second = objects()
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", first.pop("time"))
    assert first == {
        "level": "WARNING",
        "thread": "MainThread",
        "logger": "app.x",
        "message": "two\nlines é",
        "job": "job-7",
        "trace_id": trace,
        "span_id": span,
    }
    assert second.keys() == {"time", "level", "thread", "logger", "message"}


def test_json_has_the_traceback(objects):
    try:
        raise ValueError("broken")
    except ValueError:
        logging.getLogger("app.x").exception("it failed")

    (found,) = objects()
    assert found["exception"].startswith("Traceback")
    assert found["exception"].endswith("ValueError: broken")
