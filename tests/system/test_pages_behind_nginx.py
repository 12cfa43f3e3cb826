"""The documentation in a browser, below the prefix that nginx removes: it runs an operation."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.system.conftest import Running
from tests.system.support import nginx
from tests.system.support.processes import SECONDS

PLAIN_HTTP = True  # it speaks HTTP by itself


@pytest.fixture
def page(browser: Browser, running: Running, tmp_path: Path) -> Iterator[Page]:
    failures: list[str] = []
    with nginx.serving(nginx.documented(), running.http, tmp_path) as http:
        page = browser.new_page(base_url=str(http.base_url))
        page.set_default_timeout(SECONDS * 1000)
        page.on("pageerror", lambda error: failures.append(str(error)))
        yield page
        page.close()
    assert failures == []


def test_an_operation_is_run_where_the_page_is(page: Page) -> None:
    page.goto("docs")
    operation = page.locator(".opblock-get").filter(has=page.locator('[data-path="/models"]'))
    operation.locator(".opblock-summary-control").click()
    operation.get_by_role("button", name="Try it out").click()
    operation.get_by_role("button", name="Execute").click()
    answer = operation.locator(".live-responses-table .response")
    expect(answer.locator(".response-col_status")).to_contain_text("200")
    expect(operation.locator(".request-url")).to_contain_text(f"{nginx.PREFIX}/models")


def test_redoc_finds_the_operations(page: Page) -> None:
    page.goto("redoc")
    expect(page.get_by_text("/models", exact=True).first).to_be_attached()
