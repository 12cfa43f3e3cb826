"""What a child prints becomes lines of its job, and only so many."""

import os
import threading
from collections.abc import Callable
from logging import INFO, WARNING

import pytest

from app.observability.child_output import MAX_BYTES, MAX_LINE, ChildOutput, logged_output
from app.observability.logs import job_context
from tests.support.log_lines import Line, kept_lines
from tests.support.waiting import until

LOGGER = "app.observability.child_output"


def logged(*write: Callable[[ChildOutput], object]) -> list[Line]:
    """Return what is logged when a child prints, until it has ended."""
    before = set(threading.enumerate())
    with kept_lines(LOGGER) as lines:
        with job_context("job-7"), logged_output("a child") as output:
            for each in write:
                each(output)
        for thread in set(threading.enumerate()) - before:
            thread.join(10)
    return lines


def out(text: bytes) -> Callable[[ChildOutput], object]:
    return lambda output: os.write(output.stdout.fileno(), text)


def err(text: bytes) -> Callable[[ChildOutput], object]:
    return lambda output: os.write(output.stderr.fileno(), text)


def test_each_line_is_logged_under_the_job() -> None:
    assert logged(out(b"building tree 1\nbuil"), out(b"ding tree 2\nthe end")) == [
        (INFO, "job-7", "a child: building tree 1"),
        (INFO, "job-7", "a child: building tree 2"),
        (INFO, "job-7", "a child: the end"),
    ]


def test_what_goes_to_standard_error_is_a_warning() -> None:
    assert logged(err(b"odd\n")) == [(WARNING, "job-7", "a child: odd")]


def test_a_child_that_prints_nothing_logs_nothing() -> None:
    assert logged() == []


def test_empty_lines_are_left_out() -> None:
    assert logged(out(b"\n\na\n\n")) == [(INFO, "job-7", "a child: a")]


def test_bytes_that_are_no_text_are_shown() -> None:
    assert logged(out(b"\xff\n")) == [(INFO, "job-7", r"a child: \xff")]


def test_a_line_that_is_too_long_is_cut() -> None:
    lines = logged(out(b"a" * MAX_LINE + b"b\n"), out(b"c" * (2 * MAX_LINE)))

    assert [message.removeprefix("a child: ") for _, _, message in lines] == [
        "a" * MAX_LINE,
        "b",
        "c" * MAX_LINE,
        "c" * MAX_LINE,
    ]


@pytest.mark.parametrize("write", [out, err])
def test_so_much_is_logged_and_the_rest_is_counted(
    write: Callable[[bytes], Callable[[ChildOutput], object]],
) -> None:
    line = b"x" * 99 + b"\n"
    lines = logged(*[write(line)] * 400)

    messages = [message for _, _, message in lines]
    assert messages.count("a child: " + "x" * 99) == MAX_BYTES // len(line)
    assert messages[-2:] == [
        f"a child: this was {MAX_BYTES:,} bytes; the rest of what it prints is only counted",
        f"a child: it printed {400 * len(line) - MAX_BYTES:,} bytes more",
    ]
    assert [level for level, _, _ in lines[-2:]] == [WARNING, WARNING]


def test_a_child_that_prints_much_is_never_held_up() -> None:
    """A pipe that nobody reads would be full after 64 kB."""
    assert logged(*[out(b"y" * 100_000)] * 30)[-1][2].endswith(
        f"{3_000_000 - MAX_BYTES:,} bytes more"
    )


def test_its_own_children_print_for_it_after_its_end() -> None:
    with kept_lines(LOGGER) as lines:
        with logged_output("a child") as output:
            of_its_child = os.dup(output.stdout.fileno())
        os.write(of_its_child, b"late\n")
        until(lambda: lines == [(INFO, "-", "a child: late")], "the line is logged")
        os.close(of_its_child)
