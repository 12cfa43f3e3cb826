"""When the pages at /ui show something, and what open ones cost /predict."""

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from statistics import median
from typing import Any

import httpx2
from playwright.sync_api import Browser, sync_playwright

from benchmarks.harness import hey
from benchmarks.harness.jobs import api_of
from benchmarks.harness.servers import Bench, Stack, diabetes
from benchmarks.reporting.figures import middle, shown
from benchmarks.reporting.report import table
from devstack.program import find

NAME = "pages"

VIEWS = 7
REQUESTS_A_SECOND = 12  # to which the producer slows down all open pages together
PAINTED = """() => new Promise(told => new PerformanceObserver(seen => {
  for (const each of seen.getEntriesByName("first-contentful-paint")) told(each.startTime);
}).observe({type: "paint", buffered: true}))"""
IN_FLIGHT = (1, 64)


def run(bench: Bench) -> list[dict[str, Any]]:
    """Open each page several times, each time in a new context; then load /predict beside them."""
    with bench.stack() as stack:
        api_of(stack).datasets.upload(diabetes().encode(), "diabetes")
        model = f"/ui/models/{stack.model_id}"
        paths = ("/ui", "/ui/jobs", "/ui/models", model, "/ui/datasets/diabetes", "/ui/workers")
        with sync_playwright() as playwright:
            arguments = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
            browser = playwright.chromium.launch(executable_path=find("chromium"), args=arguments)
            rows = [
                shown(
                    {"page": path.replace(stack.model_id, "{id}"), **painted(browser, stack, path)}
                )
                for path in paths
            ]
            browser.close()
        return rows + [beside(bench, stack, paths, in_flight) for in_flight in IN_FLIGHT]


def render(rows: list[dict[str, Any]]) -> str:
    """Make a table of the pages and one of the load."""
    views = [each for each in rows if "page" in each]
    return f"{table(views)}\n\n{table([each for each in rows if each not in views])}"


def painted(browser: Browser, stack: Stack, path: str) -> dict[str, Any]:
    """Return the milliseconds until a page shows its first content, for a browser without cache."""
    found = []
    for _ in range(VIEWS):
        context = browser.new_context(base_url=stack.url)
        page = context.new_page()
        page.goto(path, wait_until="load")
        found.append(float(page.evaluate(PAINTED)))
        context.close()
    return {"first contentful paint, ms": round(median(found)), "the slowest": round(max(found))}


def beside(bench: Bench, stack: Stack, paths: Sequence[str], in_flight: int) -> dict[str, Any]:
    """Load /predict alone and beside open pages, in turn."""
    url = f"{stack.url}/predict"
    hey.warm(url, stack.body, in_flight)
    alone, with_pages = [], []
    for _ in range(bench.rounds):
        alone.append(hey.load(url, stack.body, in_flight, bench.seconds))
        with refreshed(stack.url, paths):
            with_pages.append(hey.load(url, stack.body, in_flight, bench.seconds))
    pairs = list(zip(alone, with_pages, strict=True))
    return shown(
        {
            "in flight": in_flight,
            "p50 alone, ms": middle([each.p50 for each in alone], 2),
            "p50 beside pages": middle([each.p50 for each in with_pages], 2),
            "p99 alone, ms": middle([each.p99 for each in alone], 2),
            "p99 beside pages": middle([each.p99 for each in with_pages], 2),
            "rate beside / alone": round(median(b.rate / a.rate for a, b in pairs), 3),
            "errors": sum(each.errors for pair in pairs for each in pair),
        }
    )


@contextmanager
def refreshed(url: str, paths: Sequence[str]) -> Iterator[None]:
    """Ask for the pages as open ones do: with the tag of what they show."""
    stopping = threading.Event()

    def ask() -> None:
        tags: dict[str, str] = {}
        with httpx2.Client(base_url=url, trust_env=False) as client:
            begun = time.monotonic()
            for number in range(1_000_000):
                path = paths[number % len(paths)]
                answer = client.get(path, headers={"If-None-Match": tags.get(path, '""')})
                tags[path] = answer.headers.get("etag", '""')
                due = begun + (number + 1) / REQUESTS_A_SECOND
                if stopping.wait(max(0.0, due - time.monotonic())):
                    return

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        yield
    finally:
        stopping.set()
        thread.join()
