"""The figures of the chaos run."""

from collections import Counter
from math import inf
from typing import Any

from tests.chaos import figures

KILL = {"kind": "k", "start": 10.0, "end": 10.0, "detail": {"pids": [7]}}


def line(at: float, state: str, attempt: int = 1, job: str = "a", pid: int = 7) -> dict[str, Any]:
    return {
        "id": job,
        "at": at,
        "state": state,
        "attempt": attempt,
        "worker": f"host:{pid}:train-0",
    }


def test_quantiles_are_values_that_were_measured() -> None:
    assert figures.quantile([3.0, 1.0, 2.0], 0.5) == 2.0
    assert figures.quantile(range(1, 101), 0.99) == 99
    assert figures.quantile([], 0.5) is None


def test_a_killed_attempt_is_followed_to_the_next_one() -> None:
    taken_over = [line(9, "TASK_RUNNING"), line(12.5, "TASK_RUNNING", 2, pid=8)]
    assert figures.reruns(taken_over, [KILL]) == [(2.5, 2.5)]
    reaped = [line(9, "TASK_RUNNING"), line(11, "TASK_QUEUED"), line(14, "TASK_RUNNING", 2, pid=8)]
    assert figures.reruns(reaped, [KILL]) == [(1.0, 4.0)]


def test_a_killed_attempt_without_a_next_one_never_ends() -> None:
    assert figures.reruns([line(9, "TASK_RUNNING")], [KILL]) == [(inf, inf)]


def test_jobs_of_others_were_not_killed() -> None:
    others = line(9, "TASK_RUNNING", job="b", pid=17)
    done = [line(8, "TASK_RUNNING"), line(9, "TASK_COMPLETED")]
    assert figures.reruns([*done, others], [KILL]) == []


def test_recovery_is_the_next_job_that_completes() -> None:
    audit = [line(at, "TASK_COMPLETED") for at in (9, 11.5, 12)]
    assert figures.recoveries(audit, [KILL]) == {"k": [1.5]}


def test_calm_begins_when_a_fault_has_settled() -> None:
    faults = [KILL, {**KILL, "start": 11.0, "end": 12.0}]
    assert list(figures.calm(faults, 0.0, 20.0)) == [(0.0, 10.0), (14.0, 20.0)]


def test_an_answer_is_put_down_to_the_shortest_fault_around_it() -> None:
    call = {"what": "train", "status": 503, "at": 10.5, "seconds": 0.1}
    long = {**KILL, "kind": "long", "start": 5.0, "end": 25.0}
    assert figures.answers([call], [long, KILL]) == {"k": Counter({503: 1})}
    assert figures.answers([{**call, "at": 40.0}], [long, KILL]) == {"(none)": Counter({503: 1})}


def test_only_what_was_said_is_counted_not_who_said_it() -> None:
    lines = ["2026 INFO retry-0 app.x [a] retry in 2.0 s", "2026 INFO retry-0 app.x [a] fenced"]
    assert figures.said(("c", each) for each in lines) == {"retry": 1, "fenced": 1}
