"""The documentation in a browser without a network: it shows the operations, and runs them."""

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Locator, Page, Request, Route, expect

from devstack.run_module import run_module
from tests.support import graphs
from tests.system.conftest import Running
from tests.system.support.processes import SECONDS

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
    page.on("console", lambda said: failures.append(said.text) if is_violation(said) else None)
    yield page
    context.close()
    assert abroad == []
    assert failures == []


def is_violation(said: ConsoleMessage) -> bool:
    """Tell whether the page tried what its Content-Security-Policy forbids, but ReDoc's logo."""
    return "Content Security Policy" in said.text and "/redoc/logo-mini.svg" not in said.text


def test_swagger_ui_shows_the_operations(page: Page) -> None:
    page.goto("/docs")
    for path in OPERATIONS:
        expect(page.locator(f'.opblock-summary-path[data-path="{path}"]').first).to_be_visible()


def test_redoc_shows_the_operations(page: Page) -> None:
    page.goto("/redoc")
    expect(page.get_by_role("heading", name="Warren", exact=False).first).to_be_visible()
    for path in OPERATIONS:
        expect(page.get_by_text(path, exact=True).first).to_be_attached()


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_every_operation_succeeds_as_it_stands_from_top_to_bottom(
    page: Page, running: Running, tmp_path: Path
) -> None:
    run_module(running.stack.environment, "app.cli.example_data")
    model = tmp_path / "iris.onnx"
    model.write_bytes(graphs.iris())
    page.goto("/docs")
    expect(page.locator(".opblock").first).to_be_visible()
    sections = page.locator(".opblock-tag-section").all()
    described = running.http.get("/openapi.json").json()["paths"].values()

    for each in sections:  # because the page renders all that is unfolded with each change
        each.locator(".opblock-tag").click()
    answers: dict[str, str] = {}
    for each in sections:
        each.locator(".opblock-tag").click()
        expect(each.locator(".opblock").first).to_be_visible()
        operations = each.locator(".opblock").all()
        answers |= {summary(operation): execute(operation, model) for operation in operations}
        each.locator(".opblock-tag").click()

    assert {name: answer for name, answer in answers.items() if not answer.startswith("2")} == {}
    assert len(answers) == sum(map(len, described))


def summary(operation: Locator) -> str:
    """Return the method and the path of an operation."""
    path = operation.locator(".opblock-summary-path")
    method = operation.locator(".opblock-summary-method").inner_text()
    return f"{method} {path.get_attribute('data-path')}"


def execute(operation: Locator, file: Path) -> str:
    """Execute an operation with its examples, and a file where it asks for one; return the answer.

    Its status comes first. The answer of a stream is there when the stream ends.
    """
    fold = operation.locator(".opblock-summary-control")
    fold.click()
    operation.get_by_role("button", name="Try it out").click()
    for chooser in operation.locator("input[type=file]").all():
        chooser.set_input_files(file)
    operation.get_by_role("button", name="Execute").click()
    missing = operation.locator("input.invalid, textarea.invalid, select.invalid")
    answer = operation.locator(".live-responses-table .response")
    expect(answer.or_(missing).first).to_be_visible()
    if missing.count():
        return f"an empty box: {missing.first.get_attribute('placeholder')}"
    told = answer.inner_text()
    fold.click()  # because the page renders all that is unfolded with each change
    return told
