"""The documentation in a browser without a network: it shows the operations, and runs them."""

from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page, Request, Route, expect

from tests.system.conftest import Running
from tests.system.support.client import upload
from tests.system.support.processes import SECONDS, until

OPERATIONS = ("/train", "/predict", "/jobs/{job_id}", "/datasets/{dataset_id}", "/models")


@pytest.fixture
def page(browser: Browser, running: Running) -> Iterator[Page]:
    """A page that reaches the producer and nothing else; to try is an error."""
    context = browser.new_context(base_url=str(running.http.base_url))
    abroad: list[str] = []
    failures: list[str] = []

    def stay(route: Route, request: Request) -> None:
        if urlsplit(request.url).hostname == "127.0.0.1":
            route.continue_()
        else:
            abroad.append(request.url)
            route.abort()

    context.route("**/*", stay)
    page = context.new_page()
    page.set_default_timeout(SECONDS * 1000)
    page.on("pageerror", lambda error: failures.append(str(error)))
    yield page
    context.close()
    assert abroad == []
    assert failures == []


def test_swagger_ui_shows_the_operations(page: Page) -> None:
    page.goto("/docs")
    for path in OPERATIONS:
        expect(page.locator(f'.opblock-summary-path[data-path="{path}"]').first).to_be_visible()


def test_redoc_shows_the_operations(page: Page) -> None:
    page.goto("/redoc")
    expect(page.get_by_role("heading", name="Warren", exact=False).first).to_be_visible()
    for path in OPERATIONS:
        expect(page.get_by_text(path, exact=True).first).to_be_attached()


def test_try_it_out_and_execute_train_a_model_and_ask_it(page: Page, running: Running) -> None:
    upload(running.http)
    page.goto("/docs")
    execute(page, "/train", 202, "TASK_RECEIVED")
    until(lambda: running.http.get("/models").json()["models"], "the model is trained")
    execute(page, "/predict", 200, "208.64")


def execute(page: Page, path: str, status: int, says: str) -> None:
    """Open an operation, send its example as it is, and see what it answers."""
    operation = page.locator(".opblock-post").filter(has=page.locator(f'[data-path="{path}"]'))
    operation.locator(".opblock-summary-control").click()
    operation.get_by_role("button", name="Try it out").click()
    operation.get_by_role("button", name="Execute").click()
    answer = operation.locator(".live-responses-table .response")
    expect(answer.locator(".response-col_status")).to_contain_text(str(status))
    expect(answer).to_contain_text(says)
