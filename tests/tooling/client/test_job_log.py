"""The log of a job, and how it is followed through a break."""

import json

import pytest

from warren_client import errors

JOB = (200, b'{"id": "j", "state": "TASK_RUNNING"}', {})


def page(*numbers, following, complete=False):
    lines = [
        {
            "number": number,
            "attempt": 1,
            "part": None,
            "time": "2026-01-31T12:00:00.5Z",
            "level": "INFO",
            "text": f"line {number}",
            "consumer": "w",
        }
        for number in numbers
    ]
    told = {
        "job_id": "j",
        "lines": lines,
        "next": following,
        "total": following,
        "complete": complete,
    }
    return (200, json.dumps(told).encode(), {})


def asked(scripted):
    return [each.path for each in scripted.script.asked[1:]]


def test_the_lines_that_are_there_are_read_page_by_page(scripted):
    scripted.script.answers += [
        JOB,
        page(1, 2, following=2),
        page(7, following=7),
        page(following=7),
    ]

    lines = list(scripted.warren.jobs["j"].log())

    assert [(each.number, each.text) for each in lines] == [
        (1, "line 1"),
        (2, "line 2"),
        (7, "line 7"),
    ]
    assert lines[0].time.microsecond == 500_000
    assert asked(scripted) == [f"/jobs/j/log?after={after}" for after in (0, 2, 7)]
    assert scripted.pauses == []


def test_a_log_is_followed_until_it_is_complete(scripted):
    scripted.script.answers += [JOB, page(following=0), page(1, following=1), page(following=1)]
    scripted.script.answers.append(page(2, following=2, complete=True))

    lines = scripted.warren.jobs["j"].log(follow=True)

    assert [each.number for each in lines] == [1, 2]
    assert asked(scripted) == [f"/jobs/j/log?after={after}" for after in (0, 0, 1, 1)]
    assert scripted.pauses == [1.0, 1.0]


def test_following_goes_on_behind_the_last_line_after_a_break(scripted):
    scripted.script.answers += [JOB, page(1, following=1)]
    for _ in range(3):  # the transport tries each call three times
        scripted.script.problem(503, "overloaded", retry_after=3)
    scripted.script.answers.append(page(2, following=2, complete=True))

    assert [each.number for each in scripted.warren.jobs["j"].log(follow=True)] == [1, 2]
    assert asked(scripted)[-1] == "/jobs/j/log?after=1"


def test_an_error_that_does_not_pass_ends_the_reading(scripted):
    scripted.script.answers.append(JOB)
    scripted.script.problem(404, "not_found")
    with pytest.raises(errors.NotFound):
        list(scripted.warren.jobs["j"].log(follow=True))


def test_a_log_that_begins_anew_is_followed_from_its_first_line(scripted):
    scripted.script.answers += [JOB, page(1, 2, 3, following=3), page(following=1)]
    scripted.script.answers.append(page(1, following=1, complete=True))

    assert [each.number for each in scripted.warren.jobs["j"].log(follow=True)] == [1, 2, 3, 1]
    assert asked(scripted) == [f"/jobs/j/log?after={after}" for after in (0, 3, 0)]
