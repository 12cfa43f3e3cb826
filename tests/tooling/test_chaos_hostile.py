"""The judge of what neighbours did, and the watch over memory."""

import sys
from pathlib import Path
from typing import Any

import pytest

from tests.chaos.hostile_oracle import Harm, judge_harm
from tests.chaos.memory import MemoryWatch
from tests.chaos.neighbour import is_hostile
from tests.chaos.processor_time import processor_seconds
from tests.chaos.service import Service
from tests.support.waiting import until

BEGIN, END = 100.0, 200.0
ROW: dict[str, Any] = {"id": "a", "failures": 0, "error": None}


def asks(at: float, seconds: float, status: int = 200) -> list[dict[str, Any]]:
    return [{"at": at, "seconds": seconds, "status": status}] * 100


QUIET, HOSTILE = asks(50, 0.01), asks(150, 0.02)


def harm(**changes: Any) -> Harm:
    """Judge a run in which nobody was harmed, but for what is given."""
    good = {"asks": [*QUIET, *HOSTILE], "calls": [], "jobs": [ROW], "ended": [], "attacked": 0.5}
    return judge_harm(**{**good, **changes}, begin=BEGIN, end=END)


def test_a_run_without_harm_holds() -> None:
    found = harm()
    assert found.holds
    assert (found.slowed, found.asked, found.refused) == (2.0, 100, [])


@pytest.mark.parametrize(
    "changes",
    [
        {"asks": [*QUIET, *asks(150, 0.04)]},
        {"asks": [*QUIET, *HOSTILE, *asks(150, 0.01, 504)[:2]]},
        {"asks": [*QUIET, *HOSTILE], "calls": asks(150, 0.1, 429)[:2]},
        {"asks": [*QUIET, *HOSTILE], "calls": asks(150, 0.1, 0)[:2]},
        {"jobs": [{**ROW, "failures": 1}]},
        {"ended": ["consumer-a: status -9"]},
        {"asks": QUIET},
        {"asks": HOSTILE},
        {"attacked": 0.05},
    ],
    ids=["slow", "504", "429", "silent", "blamed", "ended", "no attack", "no quiet phase", "weak"],
)
def test_harm_is_found(changes: dict[str, Any]) -> None:
    assert not harm(**changes).holds


def test_a_run_that_is_not_timed_judges_all_else() -> None:
    slow = [*QUIET, *asks(150, 1.0)]
    assert harm(asks=slow, attacked=0.01, timed=False).holds
    assert not harm(asks=slow, ended=["consumer-a: status -9"], timed=False).holds
    assert not harm(asks=QUIET, timed=False).holds


def test_what_was_asked_at_another_time_is_not_put_down_to_the_neighbours() -> None:
    before, after = asks(50, 0.1, 503), asks(250, 0.1, 503)
    assert harm(calls=[*before, *after]).refused == []


def test_a_neighbours_job_is_told_by_its_data_or_its_model() -> None:
    assert is_hostile({"dataset_id": "hostile-data"})
    assert is_hostile({"model_id": "hostile-linear", "input_data": 1})
    assert not is_hostile({"dataset_id": "diabetes", "model_id": None})


GROW = """
import signal, subprocess, sys
child = [sys.executable, "-c", "kept = b'x' * 300_000_000; input()"]
with subprocess.Popen(child, stdin=subprocess.PIPE) as greedy:
    print(greedy.wait(), flush=True)
signal.pause()
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_the_largest_process_of_a_service_is_ended_at_the_limit(tmp_path: Path) -> None:
    service = Service("s", [sys.executable, "-c", GROW], {}, tmp_path / "log")
    service.start()
    watch = MemoryWatch({"s": service}, container=200_000_000)
    watch.start()
    try:
        until(lambda: "-9" in service.log.read_text(), "the child is ended")
    finally:
        watch.stop()
        service.end()
    assert not watch.kills[0]["own"]
    assert watch.peaks["s"].child > watch.peaks["s"].own > 0


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_processor_time_counts_with_that_of_children(tmp_path: Path) -> None:
    busy = "import time\nwhile time.process_time() < 0.3: pass\nprint('done', flush=True)"
    service = Service(
        "s", [sys.executable, "-c", f"{busy}\nimport signal; signal.pause()"], {}, tmp_path / "log"
    )
    service.start()
    try:
        until(lambda: "done" in service.log.read_text(), "it has computed")
        assert processor_seconds(service.pid) >= 0.25
    finally:
        service.end()
