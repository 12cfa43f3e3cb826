"""What is printed for people."""

import fcntl
import os
import pty
import re
import struct
import sys
import termios
from contextlib import suppress
from datetime import UTC, datetime
from subprocess import Popen
from typing import Any

import pytest

from warren_cli import console
from warren_cli.job_course import Course, beginning, ending
from warren_cli.records import job_fields, size_text, time
from warren_client.records import JobRecord, LogLine


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "-"),
        ("red", "red"),
        ("\x1b[31m", "\\u001b[31m"),
        ("a\nb", "a\\nb"),
        (1 / 3, "0.333333"),
        (10**20, "100000000000000000000"),
        (True, "true"),
        ([1], "[1]"),
    ],
)
def test_a_value_is_one_line_that_controls_no_terminal(value: Any, text: str) -> None:
    assert console.plain(value) == text


def test_a_table_is_aligned(capsys: pytest.CaptureFixture[str]) -> None:
    console.print_table(("ID", "N"), [("abc", 1), ("d", None)])
    assert capsys.readouterr().out == "ID   N\nabc  1\nd    -\n"


def test_an_empty_table_is_its_heading(capsys: pytest.CaptureFixture[str]) -> None:
    console.print_table(("ID", "N"), [])
    assert capsys.readouterr().out == "ID  N\n"


WIDE = (("ID", "STATE", "WHY"), [("a" * 20, "TASK_COMPLETED", "word " * 12), ("b", "-", "c")])


def on_a_terminal(columns: int) -> list[str]:
    """Return the lines of the table above as a terminal of this width gets them."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    program = f"from warren_cli import console; console.print_table(*{WIDE!r})"
    kept = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES")}
    run = Popen(
        [sys.executable, "-c", program],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env=kept | {"TERM": "xterm", "NO_COLOR": "1"},
    )
    os.close(theirs)
    told = b""
    with suppress(OSError):  # which is the end of what it has printed
        while piece := os.read(ours, 4096):
            told += piece
    os.close(ours)
    assert run.wait() == 0, told
    text = re.sub(r"\x1b\[[0-9;]*m", "", told.decode())
    return [line.rstrip() for line in text.splitlines()]


def test_a_table_has_the_width_of_the_terminal() -> None:
    long = ("word " * 12).rstrip()
    assert on_a_terminal(120) == [
        f"{'ID':20}  STATE           WHY",
        f"{'a' * 20}  TASK_COMPLETED  {long}",
        f"{'b':20}  -               c",
    ]


def test_what_does_not_fit_takes_several_lines_and_is_not_cut() -> None:
    lines = on_a_terminal(60)
    assert lines[1] == f"{'a' * 20}  TASK_COMPLETED  word word word word"
    assert " ".join(lines).count("word") == 12
    assert max(map(len, lines)) <= 60


def test_a_row_that_no_line_can_hold_is_told_as_names_and_values() -> None:
    assert on_a_terminal(50) == [
        *(f"id     {'a' * 20}", "state  TASK_COMPLETED"),
        f"why    {'word ' * 12}".rstrip(),
        *("", "id   b", "why  c"),
    ]


def test_fields_without_a_value_are_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    console.print_fields({"job": "a", "error": None, "state": "b"})
    assert capsys.readouterr().out == "job    a\nstate  b\n"


@pytest.mark.parametrize(
    ("size", "text"),
    [(None, None), (7, "7 bytes"), (95_100, "95.1 kB"), (2_000_000_000_000, "2e+03 GB")],
)
def test_a_size_has_a_unit(size: int | None, text: str | None) -> None:
    assert size_text(size) == text


def line(number: int, text: str, **more: Any) -> LogLine:
    at = {"time": "2026-01-31T12:00:02.5Z", "level": "INFO", "attempt": 1, "consumer": "w"}
    return LogLine.model_validate({**at, "number": number, "text": text, **more})


def test_the_course_of_a_job_is_its_beginning_its_log_and_its_end(
    capsys: pytest.CaptureFixture[str],
) -> None:
    begun = {"id": "j", "created_at": "2026-01-31T12:00:00Z", "dataset_id": "houses"}
    running = {**begun, "attempt": 1, "started_at": "2026-01-31T12:00:01Z", "worker": "w"}
    ended = {"ended_at": "2026-01-31T12:00:09Z", "warnings": [{"detail": "few rows"}]}
    failed = {**running, **ended, "state": "TASK_ERROR", "error": {"detail": "S3 is away"}}
    course = Course(tell=True)
    course.begin(JobRecord.model_validate({**running, "state": "TASK_RUNNING"}))
    for each in (line(1, "START"), line(4, "a\nb", level="WARNING", part=0), line(6, "END")):
        course.line(each)
    course.end(JobRecord.model_validate(failed))
    assert capsys.readouterr().out.splitlines() == [
        "2026-01-31 12:00:00 UTC  accepted: train on data set houses",
        "2026-01-31 12:00:01 UTC  attempt 1 began in w",
        "2026-01-31 12:00:02 UTC  attempt 1  INFO  START",
        "-                        2 lines are left out",
        "2026-01-31 12:00:02 UTC  part 0, attempt 1  WARNING  a\\nb",
        "-                        1 line is left out",
        "2026-01-31 12:00:02 UTC  attempt 1  INFO  END",
        "2026-01-31 12:00:09 UTC  warning: few rows",
        "2026-01-31 12:00:09 UTC  TASK_ERROR: S3 is away",
    ]
    told = course.as_json()
    assert [len(told["events"]), told["lines"]] == [4, []]


def test_a_course_that_is_not_told_keeps_its_lines(capsys: pytest.CaptureFixture[str]) -> None:
    course = Course(tell=False)
    for each in (line(1, "a"), line(4, "b")):
        course.line(each)
    assert [each["number"] for each in course.as_json()["lines"]] == [1, 4]
    assert capsys.readouterr().out == ""


def test_a_log_that_begins_anew_leaves_out_no_lines(capsys: pytest.CaptureFixture[str]) -> None:
    course = Course(tell=True)
    for each in (line(5, "a"), line(1, "b")):
        course.line(each)
    told = capsys.readouterr().out.splitlines()
    assert [each.split("  ", 1)[1].strip() for each in told] == [
        *("4 lines are left out", "attempt 1  INFO  a", "attempt 1  INFO  b"),
    ]


def test_a_job_that_goes_on_tells_what_is_known_of_it() -> None:
    asked = {"id": "j", "created_at": "2026-01-31T12:00:00Z", "state": "TASK_QUEUED"}
    queued = JobRecord.model_validate(asked)
    failing = {**asked, "error": {"detail": "S3 is away"}, "run_after": "2026-01-31T12:00:09Z"}
    assert [each.text for each in beginning(queued)] == ["accepted: train"]
    assert list(ending(queued)) == []
    assert [each.text for each in ending(JobRecord.model_validate(failing))] == [
        "an attempt failed: S3 is away; tried again after 2026-01-31T12:00:09Z"
    ]
    cancelled = {**asked, "state": "TASK_CANCELLED", "ended_at": "2026-01-31T12:00:09Z"}
    job = JobRecord.model_validate({**cancelled, "error": {"detail": "its consumer was lost"}})
    assert [each.text for each in ending(job)] == ["TASK_CANCELLED"]
    assert job_fields(job)["error"] is None
    half = JobRecord.model_validate({**asked, "state": "TASK_RUNNING", "progress": 0.5})
    assert [each.text for each in ending(half)] == ["50% done"]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, None),
        ("2026-01-31T12:00:00.5Z", "2026-01-31 12:00:00 UTC"),
        (datetime(2026, 1, 31, tzinfo=UTC), "2026-01-31 00:00:00 UTC"),
    ],
)
def test_a_time_is_told_to_the_second(value: Any, text: str | None) -> None:
    assert time(value) == text
