"""A job that is followed: `GET /jobs/{id}/events`, and what `GET /jobs/{id}` tells meanwhile."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.conftest import migrate
from tests.support.postgres import Postgres
from tests.system.conftest import Running
from tests.system.support import gated
from tests.system.support.client import is_problem, job, reached, train, upload
from tests.system.support.gated import HELD
from tests.system.support.processes import Stack, until

COMMAND = gated.ALONE
SETTINGS = {"TRAIN_WAIT": "0.2"}
ENDED = ("TASK_COMPLETED", "TASK_ERROR", "TASK_CANCELLED")


@dataclass(frozen=True)
class Event:
    kind: str
    id: int
    job: dict[str, Any]


@contextmanager
def following(
    http: httpx2.Client, job_id: str, known: int | None = None
) -> Iterator[Iterator[Event]]:
    """Follow a job; the events end when the stream does."""
    headers = {} if known is None else {"Last-Event-ID": str(known)}
    with http.stream("GET", f"/jobs/{job_id}/events", headers=headers) as answer:
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/event-stream")
        assert answer.headers["cache-control"] == "no-store"
        yield parsed(answer.iter_lines())


def parsed(lines: Iterator[str]) -> Iterator[Event]:
    fields: dict[str, str] = {}
    for line in lines:
        if line.startswith(":"):  # a comment, so that the connection is not idle
            continue
        if line:
            name, _, value = line.partition(": ")
            fields[name] = value
        else:
            yield Event(fields["event"], int(fields["id"]), json.loads(fields["data"]))
            fields = {}


@pytest.fixture(scope="module")
def http(running: Running) -> Iterator[httpx2.Client]:
    for dataset_id in ("diabetes", HELD):
        upload(running.http, dataset_id)
    yield running.http
    assert "Traceback" not in running.stack.output()


def held(running: Running, http: httpx2.Client) -> str:
    """Have a job that waits in its fit; return its id."""
    job_id = train(http, dataset_id=HELD)
    running.consumer.says(f"holding {job_id}")
    return job_id


def are_in_order(events: list[Event], known: int = -1) -> None:
    ids = [event.id for event in events]
    assert ids == sorted(set(ids))
    assert not ids or ids[0] > known
    for event in events:
        assert event.kind == "job"
        assert event.id == event.job["version"]
    assert [event.job["state"] in ENDED for event in events[:-1]] == [False] * (len(events) - 1)


def test_a_job_is_followed_from_the_queue_to_its_end(running: Running, http: httpx2.Client) -> None:
    before = held(running, http)
    job_id = train(http, dataset_id=HELD)
    with following(http, job_id) as stream:
        events = [next(stream)]
        assert events[0].job["state"] == "TASK_QUEUED"
        running.stack.let_go(before)
        while events[-1].job["state"] != "TASK_RUNNING":
            events.append(next(stream))
        running.stack.let_go(job_id)
        events += stream
    are_in_order(events)
    assert events[-1].job == job(http, job_id)
    assert events[-1].job["state"] == "TASK_COMPLETED"
    assert events[-1].job["progress"] == 1.0


def test_whoever_comes_back_is_told_what_it_does_not_know(
    running: Running, http: httpx2.Client
) -> None:
    job_id = held(running, http)
    with following(http, job_id) as stream:
        first = next(stream)
    with following(http, job_id, known=first.id) as stream:
        running.stack.let_go(job_id)
        rest = list(stream)
    are_in_order(rest, known=first.id)
    assert rest[-1].job == job(http, job_id)

    last = rest[-1].id
    with following(http, job_id, known=last - 1) as stream:
        assert list(stream) == rest[-1:]
    for known in (last, last + 1000):
        for more in (
            {"headers": {"Last-Event-ID": str(known)}},
            {"params": {"lastEventId": known}},
        ):
            answer = http.get(f"/jobs/{job_id}/events", **more)
            assert (answer.status_code, answer.content) == (204, b"")


@pytest.mark.parametrize("odd", ["", "x", "-1", "1.5", "9" * 5000, "\u00b2".encode("latin-1")])
def test_an_id_that_was_never_given_is_no_error(http: httpx2.Client, odd: str | bytes) -> None:
    job_id = train(http, features=["size"])
    reached(http, job_id, "TASK_ERROR")
    answer = http.get(f"/jobs/{job_id}/events", headers={"Last-Event-ID": odd})
    assert answer.status_code in (200, 204), answer.text


@pytest.mark.parametrize("ending", ["failed", "cancelled"])
def test_other_ends_are_told_too(running: Running, http: httpx2.Client, ending: str) -> None:
    if ending == "failed":
        job_id, state = train(http, features=["size"]), "TASK_ERROR"
        reached(http, job_id, state)
        with following(http, job_id) as stream:
            events = list(stream)
    else:
        job_id, state = held(running, http), "TASK_CANCELLED"
        with following(http, job_id) as stream:
            events = [next(stream)]
            assert http.delete(f"/jobs/{job_id}").status_code == 200
            events += stream
    are_in_order(events)
    assert events[-1].job["state"] == state
    assert events[-1].job["ended_at"]


def test_latest_is_the_newest_job(running: Running, http: httpx2.Client) -> None:
    older = train(http, dataset_id=HELD)
    newest = train(http)
    running.consumer.says(f"holding {older}")
    assert job(http, "latest")["id"] == newest
    with following(http, "latest") as events:
        running.stack.let_go(older)
        seen = list(events)
    assert {event.job["id"] for event in seen} == {newest}
    assert seen[-1].job["state"] == "TASK_COMPLETED"


def test_there_is_no_job_to_follow(http: httpx2.Client) -> None:
    assert is_problem(http.get("/jobs/nobody/events"), 404)["field"] == "job_id"


def test_many_follow_one_job_and_some_leave_early(running: Running, http: httpx2.Client) -> None:
    job_id = held(running, http)
    for _ in range(10):
        with following(http, job_id) as stream:
            next(stream)
    with following(http, job_id) as one, following(http, job_id) as other:
        running.stack.let_go(job_id)
        ends = [list(stream)[-1] for stream in (one, other)]
    assert ends[0] == ends[1]
    assert ends[0].job["state"] == "TASK_COMPLETED"
    assert http.get("/health").status_code == 200


def test_a_producer_that_is_told_to_end_ends_its_streams(
    running: Running, http: httpx2.Client
) -> None:
    job_id = held(running, http)
    producer, another = running.stack.producer()
    with following(another, job_id) as stream:
        first = next(stream)
        producer.terminate()
        are_in_order([first, *stream])
    assert producer.wait() == 0

    with following(http, job_id, known=first.id) as stream:  # of whoever serves now
        running.stack.let_go(job_id)
        assert list(stream)[-1].job["state"] == "TASK_COMPLETED"


def test_a_stream_outlives_a_database_that_is_away_for_a_while(
    environment: dict[str, str], tmp_path: Path, postgres: Postgres
) -> None:
    url = migrate(postgres.new_database())
    with Stack({**environment, "DATABASE_URL": url}, tmp_path) as stack:
        producer, http = stack.producer(TRAIN_WAIT="0.2")
        upload(http)
        job_id = train(http)
        with following(http, job_id) as stream:
            assert next(stream).job["state"] == "TASK_QUEUED"
            postgres.stop()
            try:
                producer.says("the database cannot be used")
            finally:
                postgres.start()
            until(lambda: http.delete(f"/jobs/{job_id}").is_success, "the database is back")
            (last,) = stream
        assert last.job["state"] == "TASK_CANCELLED"


def test_a_job_tells_its_place_and_its_progress(running: Running, http: httpx2.Client) -> None:
    first = held(running, http)
    second, third = train(http), train(http)
    assert job(http, first)["queue_position"] is None
    assert [job(http, each)["queue_position"] for each in (second, third)] == [1, 2]
    assert job(http, second)["progress"] is None
    assert job(http, second)["seconds_left"] is None

    until(lambda: job(http, first)["progress"], "there is progress")
    half = job(http, first)
    assert 0 < half["progress"] < 1
    assert half["seconds_left"] >= 0

    running.stack.let_go(first)
    for each in (first, second, third):
        ended = reached(http, each, "TASK_COMPLETED")
        assert (ended["progress"], ended["seconds_left"]) == (1.0, None)
        assert ended["queue_position"] is None
