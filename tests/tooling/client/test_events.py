"""The events of a job, and how a stream goes on after a break."""

import json

import pytest

from warren_client import errors
from warren_client.patience import Patience
from warren_client.retries import RetryPolicy
from warren_client.sse import EventReader, ServerEvent


def events(*lines: str) -> list[ServerEvent]:
    reader = EventReader()
    return [event for line in lines if (event := reader.line(line))]


def stream(*jobs: tuple[int, str]) -> bytes:
    lines = [": ping", ""]
    for version, state in jobs:
        job = json.dumps({"id": "j", "state": state, "version": version})
        lines += [f"id: {version}", "event: job", f"data: {job}", ""]
    return "".join(f"{line}\r\n" for line in lines).encode()


def test_lines_become_events_as_the_standard_says():
    found = events(
        ": a comment", "id: 7", "event: job", "data: a", "data:b", "", "data:  c", "", ""
    )

    assert found == [ServerEvent("job", "a\nb", "7"), ServerEvent("message", " c", "7")]
    assert events("id: 1\0", "retry: 5", "data", "") == [ServerEvent("message", "", None)]


def test_a_stream_goes_on_behind_the_last_event(scripted):
    kind = {"Content-Type": "text/event-stream"}
    scripted.script.answers += [
        (200, stream((1, "TASK_QUEUED"), (4, "TASK_RUNNING")), kind),
        (0, b"", {}),
    ]
    scripted.script.problem(503, "overloaded", retry_after=3)
    scripted.script.answers.append((200, stream((6, "TASK_COMPLETED")), kind))
    scripted.script.answers.insert(0, (200, b'{"id": "j", "state": "TASK_QUEUED"}', {}))

    seen = [(each.version, each.state) for each in scripted.warren.jobs["j"].events()]

    assert seen == [(1, "TASK_QUEUED"), (4, "TASK_RUNNING"), (6, "TASK_COMPLETED")]
    sent = [each.headers.get("Last-Event-ID") for each in scripted.script.asked[1:]]
    assert sent == [None, "4", "4", "4"]
    assert scripted.pauses == [0.5, 1.0, 4.0]


def test_there_are_no_events_behind_the_end(scripted):
    scripted.script.answers += [(200, b'{"id": "j", "state": "TASK_ERROR"}', {}), (204, b"", {})]

    assert list(scripted.warren.jobs["j"].events()) == []


def test_an_error_that_does_not_pass_ends_a_stream(scripted):
    scripted.script.answers.append((200, b'{"id": "j", "state": "TASK_QUEUED"}', {}))
    scripted.script.problem(404, "not_found", "no job j")

    with pytest.raises(errors.NotFound, match="no job j"):
        list(scripted.warren.jobs["j"].events())


def test_patience_ends():
    now = [0.0]
    patience = Patience(10, RetryPolicy(random=lambda: 1.0), lambda: now[0])
    lost = errors.Unreachable("nobody")

    assert [patience.pause(lost) for _ in range(6)] == [0.5, 1, 2, 4, 4, 4]
    now[0] = 9
    patience.heard()
    now[0] = 18
    assert patience.pause(lost) == 0.5
    lost.retry_after = 30
    assert patience.pause(lost) == 1  # what is left
    now[0] = 19.5
    with pytest.raises(errors.Unreachable):
        patience.pause(lost)
    with pytest.raises(errors.Forbidden):
        patience.pause(errors.Forbidden("no"))
