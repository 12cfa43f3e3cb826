"""Pages of other sites in a visitor's browser: they train, delete and frame nothing."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from playwright.sync_api import Browser, Page

from devstack.demo import TRAIN
from tests.system.conftest import Running
from tests.system.support.client import ENDLESS, IN_WORK, job, train, upload
from tests.system.support.processes import SECONDS

PLAIN_HTTP = True  # it speaks HTTP by itself, or another origin does


class Blank(BaseHTTPRequestHandler):
    """Serves an empty page."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(b"<!doctype html><title>foreign</title>")

    def log_message(self, *_: object) -> None: ...


@pytest.fixture(scope="module")
def elsewhere() -> Iterator[str]:
    """The origin of a server that is not Warren."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Blank)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://localhost:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    context = browser.new_context()
    page = context.new_page()
    page.set_default_timeout(SECONDS * 1000)
    yield page
    context.close()


def jobs(running: Running) -> list[str]:
    """Return the state of each job."""
    return [job["state"] for job in running.http.get("/jobs").json()["jobs"]]


FORMS = ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data")


@pytest.mark.parametrize("kind", FORMS)  # those that a browser sends without asking first
def test_a_form_that_leads_to_warren_is_refused(
    running: Running, elsewhere: str, page: Page, kind: str
) -> None:
    before = jobs(running)
    page.goto(elsewhere)
    url = f"{running.http.base_url}/train"
    with page.expect_response(url) as response:
        page.evaluate(
            """([url, kind]) => {
                const form = document.createElement('form');
                Object.assign(form, {method: 'POST', action: url, enctype: kind});
                document.body.append(form);
                form.submit();
            }""",
            [url, kind],
        )

    assert response.value.status == 403
    assert jobs(running) == before


def test_a_name_that_was_bound_to_the_address_reaches_nothing(
    running: Running, browser: Browser
) -> None:
    upload(running.http)
    job_id = train(running.http, **ENDLESS)
    before = jobs(running)
    origin = f"http://rebound.example:{running.http.base_url.port}"
    context = browser.new_context(bypass_csp=True)  # the page is one of its own server at first
    page = context.new_page()
    page.goto(f"{origin}/health")

    statuses = page.evaluate(
        """async ([job, train]) => {
            const json = {'Content-Type': 'application/json', 'X-Forwarded-Host': 'localhost'};
            const calls = [
                ['/jobs', {}],
                ['/train', {method: 'POST', headers: json, body: JSON.stringify(train)}],
                ['/jobs/' + job, {method: 'DELETE', headers: json}],
            ];
            return Promise.all(calls.map(async call => (await fetch(...call)).status));
        }""",
        [job_id, TRAIN],
    )

    context.close()
    assert statuses == [421, 421, 421]
    assert job(running.http, job_id)["state"] in IN_WORK
    assert len(jobs(running)) == len(before)
    running.http.delete(f"/jobs/{job_id}")


@pytest.mark.parametrize("path", ["/docs", "/redoc", "/health"])
def test_no_page_shows_warren_in_a_frame(
    running: Running, elsewhere: str, page: Page, path: str
) -> None:
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.goto(elsewhere)
    with page.expect_event("console"):
        page.evaluate(
            """url => {
                const frame = document.createElement('iframe');
                frame.src = url;
                document.body.append(frame);
            }""",
            f"{running.http.base_url}{path}",
        )

    assert any("frame-ancestors" in each for each in said), said


def test_no_page_loads_an_answer_as_a_script(running: Running, elsewhere: str, page: Page) -> None:
    page.goto(elsewhere)
    loaded = page.evaluate(
        """url => new Promise(resolve => {
            const script = document.createElement('script');
            Object.assign(script, {src: url, onload: () => resolve(true)});
            script.onerror = () => resolve(false);
            document.head.append(script);
        })""",
        f"{running.http.base_url}/jobs",
    )
    assert loaded is False


@pytest.mark.parametrize("path", ["/docs", "/redoc"])
def test_a_script_that_was_smuggled_into_a_page_does_not_run(
    running: Running, page: Page, path: str
) -> None:
    page.goto(f"{running.http.base_url}{path}")
    with page.expect_event("console", lambda said: "Content Security Policy" in said.text):
        page.evaluate(
            """() => {
                const script = document.createElement('script');
                script.textContent = 'window.smuggled = true';
                document.body.append(script);
            }"""
        )

    assert page.evaluate("window.smuggled") is None
