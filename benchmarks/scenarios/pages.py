"""When the pages at /ui show something, and what open ones cost the producer and /predict."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from math import nan
from statistics import median
from typing import Any

from playwright.sync_api import Browser, sync_playwright

from benchmarks.harness import hey, processor
from benchmarks.harness.in_turn import SLICE_SECONDS, Requests, Slice, in_turn
from benchmarks.harness.jobs import api_of
from benchmarks.harness.open_pages import OpenPages
from benchmarks.harness.servers import Bench, Stack, diabetes
from benchmarks.reporting.figures import middle, shown
from benchmarks.reporting.report import table
from devstack.program import find

NAME = "pages"

VIEWS = 7
PAINTED = """() => new Promise(told => new PerformanceObserver(seen => {
  for (const each of seen.getEntriesByName("first-contentful-paint")) told(each.startTime);
}).observe({type: "paint", buffered: true}))"""
SATURATING = 64  # in flight
IN_FLIGHT = 16  # at most, at the lower rate
PART = 1 / 3  # of the rate of the saturating load


@dataclass(frozen=True)
class Seen:
    """What came of a slice of time: the load, if there was one, and what the producer used."""

    load: hey.Load
    cores: float
    pages: int
    seconds: float


NO_LOAD = hey.Load(rate=nan, seconds=0, p50=nan, p99=nan, errors=0, total=0)


def run(bench: Bench) -> list[dict[str, Any]]:
    """Open each page several times, each time in a new context; then load /predict beside them."""
    with bench.stack() as stack:
        rows = first_views(stack)
        pages, predictions = OpenPages(stack), Requests(stack, stack.body)
        measure = partial(beside, bench, pages, stack)
        rows.append(measure("none", None))
        predictions.warm(SATURATING)
        rate = PART * median(predictions.send(SATURATING).load.rate for _ in range(3))
        rows.append(measure(f"{rate:.0f} a second", partial(predictions.send, IN_FLIGHT, rate)))
        for many in (1, SATURATING):
            send = partial(predictions.send, many)
            rows.append(measure(f"{many} in flight", send, is_busy=True))
        return rows


def render(rows: list[dict[str, Any]]) -> str:
    """Make a table of the pages and one of the load."""
    views = [each for each in rows if "page" in each]
    return f"{table(views)}\n\n{table([each for each in rows if each not in views])}"


def first_views(stack: Stack) -> list[dict[str, Any]]:
    """Return the milliseconds until pages show something, for a browser without a cache."""
    api_of(stack).datasets.upload(diabetes().encode(), "diabetes")
    model = f"/ui/models/{stack.model_id}"
    paths = ("/ui", "/ui/jobs", "/ui/models", model, "/ui/datasets/diabetes", "/ui/workers")
    with sync_playwright() as playwright:
        arguments = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
        browser = playwright.chromium.launch(executable_path=find("chromium"), args=arguments)
        rows = [
            shown({"page": path.replace(stack.model_id, "{id}"), **painted(browser, stack, path)})
            for path in paths
        ]
        browser.close()
    return rows


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


def beside(
    bench: Bench,
    pages: OpenPages,
    stack: Stack,
    name: str,
    send: Callable[[], Slice] | None,
    *,
    is_busy: bool = False,
) -> dict[str, Any]:
    """Measure slices with and without open pages, in turn, while `send` loads /predict."""

    def alone() -> Seen:
        used, asked, begun = processor.used([stack.producer_pid]), pages.asked, time.monotonic()
        load = send().load if send else NO_LOAD
        time.sleep(max(0.0, begun + SLICE_SECONDS - time.monotonic()))
        seconds = time.monotonic() - begun
        cores = (processor.used([stack.producer_pid]) - used) / seconds
        return Seen(load, cores, pages.asked - asked, seconds)

    def with_pages() -> Seen:
        with pages.refreshed():
            return alone()

    slices = in_turn(bench, {"alone": alone, "beside": with_pages})
    first, second = ([each[side] for each in slices] for side in ("alone", "beside"))
    pairs = list(zip(first, second, strict=True))
    return shown(
        {
            "predictions": name,
            "p50 alone, ms": middle([each.load.p50 for each in first], 2),
            "p50 beside pages": middle([each.load.p50 for each in second], 2),
            "p99 alone, ms": middle([each.load.p99 for each in first], 2),
            "p99 beside pages": middle([each.load.p99 for each in second], 2),
            "rate beside / alone": middle([b.load.rate / a.load.rate for a, b in pairs], 3),
            "producer alone, cores": middle([each.cores for each in first], 3),
            "beside pages": middle([each.cores for each in second], 3),
            # Known where the rates are the same: a producer that is busy all the time shares.
            "ms of a core a page": None if is_busy else middle(_page_costs(pairs), 2),
            "errors": sum(each.load.errors for each in (*first, *second)),
        }
    )


def _page_costs(pairs: list[tuple[Seen, Seen]]) -> list[float]:
    return [1e3 * (b.cores - a.cores) * b.seconds / max(1, b.pages) for a, b in pairs]
