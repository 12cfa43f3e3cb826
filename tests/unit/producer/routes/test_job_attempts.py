"""`GET /jobs/{id}/attempts`, and the same on the page of a job."""

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import pytest
from fastapi import FastAPI

from app.jobs.store import JobStore
from app.protocol.types import JobKind
from tests.support.application import application
from tests.unit.producer.middleware.test_security_headers import asked

ERROR = {"type": "storage_unavailable", "detail": "S3 is <away>"}


@pytest.fixture
def app(sqlite_url: str) -> Iterator[FastAPI]:
    with application(sqlite_url) as made:
        yield made


@pytest.fixture
def jobs(app: FastAPI) -> JobStore:
    """A job table with a job `tried`, which runs for the second time."""
    store: JobStore = app.state.services.jobs
    store.create("tried", JobKind.TRAIN, "d", {"dataset_id": "d"})
    store.claim("tried", "host:1:ab:train-0")
    store.retry("tried", 1, ERROR, 0.0)
    store.claim("tried", "host:2:cd:train-1")
    return store


def attempts(app: FastAPI, job_id: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = asked(app, path=f"/jobs/{job_id}/attempts").json()["attempts"]
    return found


def test_the_attempts_of_a_job_are_listed(app: FastAPI, jobs: JobStore) -> None:
    first, second = attempts(app, "tried")

    assert first.pop("started_at") <= first.pop("ended_at") <= second.pop("started_at")
    assert first == {
        "attempt": 1,
        "consumer": "host:1:ab:train-0",
        "outcome": "failed",
        "reason": "storage_unavailable: S3 is <away>",
    }
    assert second == {
        "attempt": 2,
        "consumer": "host:2:cd:train-1",
        "ended_at": None,
        "outcome": None,
        "reason": None,
    }
    assert attempts(app, "latest") == attempts(app, "tried")


def test_a_job_that_waits_has_no_attempt(app: FastAPI, jobs: JobStore) -> None:
    jobs.create("waits", JobKind.TRAIN, "d", {"dataset_id": "d"})

    assert attempts(app, "waits") == []


def test_a_job_that_is_not_there_is_a_404(app: FastAPI) -> None:
    answer = asked(app, path="/jobs/nothing/attempts")

    assert answer.status_code == 404
    assert answer.json()["field"] == "job_id"


def test_the_page_of_a_job_shows_its_attempts(app: FastAPI, jobs: JobStore) -> None:
    jobs.cancel("tried")

    page = asked(app, path="/ui/jobs/tried", Accept="text/html").text

    texts = (
        "Accepted",
        "Attempt 1 began on host:1:ab:train-0",
        "Attempt 1 failed",
        "S3 is &lt;away&gt;",
        "Attempt 2 began on host:2:cd:train-1",
        "<b>Cancelled</b>",
    )
    assert all(page.find(first) < page.find(then) for first, then in pairwise(texts))
    assert "Accepted" in page
