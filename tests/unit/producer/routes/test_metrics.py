"""`GET /metrics` and `GET /workers`, with a database and without a broker."""

from collections.abc import Iterator

import pytest
from fastapi import FastAPI
from prometheus_client.openmetrics.parser import (
    text_string_to_metric_families as parse_openmetrics,
)
from prometheus_client.parser import text_string_to_metric_families as parse

from app.jobs import workers
from app.jobs.workers import Worker
from app.observability.version import running_version
from tests.support.application import application
from tests.unit.producer.middleware.test_security_headers import asked

HELD = {"queue.model.predict": 3}
WORKER = Worker("a:1:b", "a", 1, "0.0.9+old", "3.11", 2, jobs=1, memory=5, unacknowledged=HELD)


@pytest.fixture
def app(sqlite_url: str) -> Iterator[FastAPI]:
    with application(sqlite_url) as made:
        yield made


def samples(text: str) -> dict[tuple[str, ...], float]:
    """The values by name and labels, without those of buckets."""
    return {
        (each.name, *each.labels.values()): each.value
        for family in parse(text)
        for each in family.samples
        if not each.name.endswith("_bucket")
    }


def test_the_jobs_are_counted_and_the_broker_is_away(app):
    answer = asked(app, path="/metrics")

    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    found = samples(answer.text)
    assert found["warren_jobs", "train", "TASK_QUEUED"] == 1
    assert found["warren_broker_connected",] == 0
    assert found["warren_database_connected",] == 1
    assert found["warren_recoveries_total", "takeover"] >= 0
    assert found["process_resident_memory_bytes",] > 0
    assert not [name for name, *_ in found if name == "warren_queue_messages"]
    assert not [name for name, *_ in found if name == "warren_models_loaded"]


def test_openmetrics_is_given_to_whoever_asks_for_it(app):
    kind = "application/openmetrics-text; version=1.0.0"
    answer = asked(app, path="/metrics", Accept=kind)

    assert answer.headers["content-type"].startswith(kind)
    assert "warren_jobs" in {each.name for each in parse_openmetrics(answer.text)}


def test_without_the_database_what_it_has_is_left_out(app):
    app.state.services.jobs.close()
    app.state.services.jobs.engine = type(app.state.services.jobs)("sqlite:////nowhere/a.db").engine

    found = samples(asked(app, path="/metrics").text)
    assert found["warren_database_connected",] == 0
    assert not [name for name, *_ in found if name == "warren_jobs"]


def test_the_consumers_that_are_heard_of_are_listed(app):
    workers.report(app.state.services.jobs.engine, WORKER)

    body = asked(app, path="/workers").json()
    assert body["version"] == running_version()
    assert body["version_skew"] is True
    (found,) = body["workers"]
    assert found["seconds_ago"] >= 0
    assert found | {"started_at": "", "seconds_ago": 0} == {
        "name": "a:1:b",
        "state": "alive",
        "host": "a",
        "pid": 1,
        "version": "0.0.9+old",
        "python": "3.11",
        "threads": 2,
        "jobs": 1,
        "memory_bytes": 5,
        "unacknowledged": HELD,
        "started_at": "",
        "seconds_ago": 0,
    }


def test_health_tells_which_versions_run(app):
    workers.report(app.state.services.jobs.engine, WORKER)

    versions = asked(app, path="/health/all").json()["versions"]
    assert versions == {
        "producer": running_version(),
        "consumers": {"0.0.9+old": 1},
        "skew": True,
    }
