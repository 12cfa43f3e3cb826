"""Lists and the overview are rendered once for all who ask, and never shown as they were before."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from fastapi import FastAPI, Request

from app.auth.api_key import NewKey
from app.auth.identity import Scope
from app.auth.store import create_key
from app.database.paging import Page
from app.jobs.listing import JobFilter
from app.jobs.store import JobStore
from app.producer.jobs.job_query import JobQuery
from app.producer.jobs.job_views import job_view
from app.producer.schemas.jobs import JobSummary
from app.producer.ui.jobs_page import NEWEST
from app.producer.ui.kept_pages import KeptPages
from app.producer.ui.rendering import compile_templates, environment, in_pieces, text
from app.protocol.types import JobKind
from tests.support.application import application
from tests.support.browser import Client
from tests.support.counted_statements import counted_statements


@pytest.fixture
def app(sqlite_url) -> Iterator[FastAPI]:
    with application(sqlite_url) as made:
        yield made


def statements(app: FastAPI, path: str) -> int:
    """Ask for a page; return how many statements that took."""
    with counted_statements(app.state.services.jobs.engine) as asked:
        assert Client(app)("GET", path).status_code == 200
    return len(asked)


def test_a_list_that_has_not_changed_is_not_read_again(app: FastAPI) -> None:
    first = Client(app)("GET", "/ui/jobs?kind=train")

    assert statements(app, "/ui/jobs?kind=train") == 1
    assert Client(app)("GET", "/ui/jobs?kind=train").content == first.content
    assert statements(app, "/ui/jobs?kind=batch") == 2  # another page


@pytest.mark.parametrize("path", ["/ui", "/ui/jobs", "/ui/jobs?text=new"])
def test_each_change_of_a_job_is_seen_at_once(app: FastAPI, path: str) -> None:
    jobs: JobStore = app.state.services.jobs
    browser = Client(app)

    def shown() -> str:
        found = browser("GET", path).text
        rows = [each for each in found.split("<tr>") if "/ui/jobs/new" in each]
        return rows[0] if rows else ""

    seen = [shown()]
    jobs.create("new", JobKind.TRAIN, "houses", {})
    seen.append(shown())
    attempt = jobs.claim("new", "host:1:a:train-0")
    assert attempt
    seen.append(shown())
    jobs.renew({("new", attempt): 0.5})
    if path != "/ui":  # which has no progress
        seen.append(shown())
    jobs.cancel("new")
    seen.append(shown())

    assert seen[0] == ""
    assert len(set(seen)) == len(seen)


def test_a_page_is_not_shown_to_who_may_see_something_else(sqlite_url) -> None:
    with application(sqlite_url, auth="on") as app:
        for scopes in ([Scope.JOBS], [Scope.JOBS, Scope.TRAIN]):
            _, key = create_key(app.state.keys.engine, NewKey(name="n", scopes=scopes))
            app.state.keys.refresh()
            answer = Client(app)("GET", "/ui/jobs", {"Authorization": f"Bearer {key}"})
            assert ("/ui/run-jobs-again" in answer.text) == (Scope.TRAIN in scopes)


def test_the_pages_that_were_asked_for_last_are_kept(app: FastAPI) -> None:
    app.state.kept_pages = KeptPages(2)
    asked = [f"/ui/jobs?tag={tag}" for tag in "ababcb"]

    assert [statements(app, path) for path in asked] == [2, 2, 1, 1, 2, 1]
    assert statements(app, "/ui/jobs?tag=a") == 2


def test_no_template_is_left_to_the_first_view_of_its_page() -> None:
    environment.cache_clear()

    compile_templates()

    compiled = {name for _, name in environment().cache}
    assert compiled == set(environment().list_templates())


def test_others_have_their_turns_while_a_list_is_rendered(app: FastAPI) -> None:
    jobs: JobStore = app.state.services.jobs
    for number in range(50):
        jobs.create(f"job-{number}", JobKind.TRAIN, "houses", {})
    request = Request({"type": "http", "path": "/ui/jobs", "headers": [], "query_string": b""})
    values: dict[str, Any] = dict.fromkeys(("done", "following", "refresh"))
    found, _ = jobs.list(JobFilter(), Page(50, NEWEST))
    values |= {"jobs": [job_view(JobSummary, each) for each in found], "is_first": True}
    values |= {"which": JobQuery(), "sort": NEWEST, "states": (), "estimators": ()}

    async def turns() -> tuple[bytes, int]:
        rendering = asyncio.create_task(in_pieces(request, "jobs.html", **values))
        count = 0
        while not rendering.done():
            await asyncio.sleep(0)
            count += 1
        return await rendering, count

    body, count = asyncio.run(turns())
    assert body == text(request, "jobs.html", **values).encode()
    assert count > 5
