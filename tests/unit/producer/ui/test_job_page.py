"""The page of a job over a database: its row is read once, and a long log keeps it small."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from fastapi import FastAPI

from app.jobs.job_log import LoggedAttempt, write_lines
from app.jobs.store import JobStore
from app.observability.job_lines import MAX_CHARACTERS, KeptLines
from tests.support.application import application
from tests.support.browser import Client
from tests.support.counted_statements import counted_statements
from tests.support.rows import run

FIRST_VIEW = 80_000  # bytes
OF = LoggedAttempt("m", 1, "host:1:train-0")


@pytest.fixture
def app(sqlite_url: str) -> Iterator[FastAPI]:
    with application(sqlite_url) as made:
        yield made


@pytest.fixture
def store(app: FastAPI) -> JobStore:
    found: JobStore = app.state.services.jobs
    return found


@pytest.fixture
def browser(app: FastAPI) -> Client:
    return Client(app)


def log(store: JobStore, *texts: str) -> None:
    kept = KeptLines()
    for text in texts:
        kept.add(datetime(2026, 1, 31, tzinfo=UTC), "INFO", text)
    assert write_lines(store.engine, OF, kept.unwritten())


def shown(page: str) -> list[str]:
    return re.findall(r'<td class="text">(.*?)</td>', page)


def test_a_page_reads_the_row_of_its_job_once(store: JobStore, browser: Client) -> None:
    run(store)
    log(store, "a line")

    with counted_statements(store.engine) as asked:
        page = browser("GET", "/ui/jobs/m").text

    assert len([each for each in asked if "FROM jobs" in each]) == 1
    assert "Attempt 1 began on worker" in page
    assert shown(page) == ["a line"]
    assert "Show all" not in page


def test_a_page_shows_the_newest_lines_and_leads_to_all(store: JobStore, browser: Client) -> None:
    run(store)
    log(store, *(f"line {number}" for number in range(1, 900)))

    page = browser("GET", "/ui/jobs/m").text
    (address,) = re.findall(r'<a href="([^"]*)">Show all 500', page)
    whole = browser("GET", address).text

    assert shown(page) == [f"line {number}" for number in range(800, 900)]
    assert "399 of 899 lines are left out" in page
    assert shown(whole)[:100] == [f"line {number}" for number in range(1, 101)]
    assert shown(whole)[100:] == [f"line {number}" for number in range(500, 900)]
    assert "399 lines are left out</td>" in whole
    assert 'href="/ui/jobs/m">The newest lines' in whole


def test_a_page_is_small_whatever_its_log_holds(store: JobStore, browser: Client) -> None:
    run(store)
    log(store, *["x" * 5_000] * 600)

    page = browser("GET", "/ui/jobs/m")

    assert len(page.content) < FIRST_VIEW
    assert shown(page.text) == ["x" * 300 + "…"] * 100
    whole = browser("GET", "/ui/jobs/m?log=all").text
    assert shown(whole)[0] == "x" * (MAX_CHARACTERS - 1) + "…"


def test_a_page_is_small_however_long_the_reasons_are(store: JobStore, browser: Client) -> None:
    run(store)
    for attempt in range(1, 60):
        store.release("m", attempt, "y" * 1_000)
        assert store.claim("m", "worker") == attempt + 1

    page = browser("GET", "/ui/jobs/m")

    assert len(page.content) < FIRST_VIEW
    assert page.text.count("y" * 300 + "…<") == page.text.count("was given back</b>") == 49


def test_long_lines_of_a_short_log_are_there_to_their_ends(
    store: JobStore, browser: Client
) -> None:
    run(store)
    log(store, "x" * 301)

    assert 'href="/ui/jobs/m?log=all">Show all 1' in browser("GET", "/ui/jobs/m").text
    assert browser("GET", "/ui/jobs/m?log=none").status_code == 422


def test_a_job_that_is_not_there_is_not_found(store: JobStore, browser: Client) -> None:
    assert browser("GET", "/ui/jobs/m").status_code == 404
    assert browser("GET", "/ui/jobs/m?log=all").status_code == 404
