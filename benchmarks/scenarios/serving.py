"""A remote model that thinks 1 s, and 1,000 callers at once: who makes them wait, and for whom.

Beside them somebody asks for `/health` ten times a second: what else the process does meanwhile.
"""

import functools
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from statistics import median
from typing import Any

import httpx2

from benchmarks.harness import hey
from benchmarks.harness.servers import START_SECONDS, Bench, answers
from benchmarks.reporting.figures import shown
from benchmarks.scenarios.compare import program, web
from devstack import ports
from devstack.demo import ROW
from devstack.layout import application

NAME = "serving"

THINKS = 1.0
CALLERS = 1000
ASK_SECONDS = 0.1
# Of a handler that lets one caller in at a time, some are enough: a thousand would take 17 minutes.
FEW = 20

#: The measurements: name, the uvicorn arguments, LIMITS, how many callers.
PEERS: list[tuple[str, str, list[str], str, int]] = [
    ("`async def`, a client that blocks", "remote_async_blocking", [], "", FEW),
    ("`def`, a client that blocks", "remote_def", [], "", CALLERS),
    ("`def`, uvicorn --workers 4", "remote_def", ["--workers", "4"], "", CALLERS),
    ("`async def`, httpx, 100 connections", "remote_async", [], "", CALLERS),
    ("`async def`, httpx, any number", "remote_async", [], "none", CALLERS),
    ("`async def`, aiohttp, any number", "remote_aiohttp", [], "", CALLERS),
]


def run(bench: Bench) -> list[dict[str, Any]]:
    """Measure each peer, then Warren with one consumer and with more."""
    rows = []
    with remote(bench) as url:
        for name, module, arguments, limits, callers in PEERS:
            with peer(bench, module, arguments, url, limits) as base:
                rows.append(measure(bench, name, base, callers))
        for consumers in (1, 2):
            what = f"Warren, {consumers} consumer{'s' if consumers > 1 else ''}"
            allowed = {"INVOKE_HOSTS": "127.0.0.1"}
            with bench.stack(consumers=consumers, threads=1, **allowed) as stack:
                model_id = f"thinks-{consumers}"
                spec = {"kind": "endpoint", "url": url, "limit": CALLERS, "idempotent": True}
                put(f"{stack.url}/models/{model_id}", spec)
                rows.append(measure(bench, what, stack.url, CALLERS, model_id))
    return rows


@contextmanager
def remote(bench: Bench) -> Iterator[str]:
    """Run a remote model that thinks for everybody at once; yield its address."""
    (port,) = ports.unused(1)
    command = ["examples.remote.server", "--port", str(port)]
    command += ["--seconds", str(THINKS), "--instances", str(CALLERS)]
    with bench.children("remote") as children:
        ready = functools.partial(answers, f"http://127.0.0.1:{port}/ping")
        children.start(application("remote", command, {}), ready, START_SECONDS)
        yield f"http://127.0.0.1:{port}/invocations"


@contextmanager
def peer(bench: Bench, module: str, arguments: list[str], url: str, limits: str) -> Iterator[str]:
    """Run a peer until the block ends; yield its address."""
    (port,) = ports.unused(1)
    base = f"http://127.0.0.1:{port}"
    with bench.children("peer") as children:
        made = program(
            module,
            [*web(module), "--port", str(port), *arguments],
            {"REMOTE": url, "LIMITS": limits},
        )
        children.start(made, lambda: answers(f"{base}/health"), START_SECONDS)
        yield base


def measure(
    bench: Bench, name: str, base: str, callers: int, model_id: str = "m"
) -> dict[str, Any]:
    """Send all callers at once, as often as there are rounds; return the medians."""
    body = httpx2.Request("POST", base, json={"model_id": model_id, "input_data": ROW}).content
    url = f"{base}/predict"
    hey.load(url, body, 10, requests=10, timeout=60)
    loads, waits = [], []
    for _ in range(bench.rounds if callers == CALLERS else 1):
        with bystander(f"{base}/health") as waited:
            loads.append(hey.load(url, body, callers, requests=callers, timeout=120))
        waits += waited
    return shown(
        {
            "handler": name,
            "callers": callers,
            "all answered after, s": round(median(each.seconds for each in loads), 2),
            "p50, s": round(median(each.p50 for each in loads) / 1000, 2),
            "errors": sum(each.errors for each in loads),
            "another call meanwhile, ms": round(max(waits)),
        }
    )


@contextmanager
def bystander(url: str) -> Iterator[list[float]]:
    """Ask for a page again and again until the block ends; yield how long it took, in ms."""
    over = threading.Event()
    waited: list[float] = []

    def ask() -> None:
        with httpx2.Client(timeout=120, trust_env=False) as http:
            while not over.wait(ASK_SECONDS):
                begun = time.perf_counter()
                http.get(url).raise_for_status()
                waited.append(1000 * (time.perf_counter() - begun))

    with ThreadPoolExecutor(1) as thread:
        asking = thread.submit(ask)
        try:
            yield waited
        finally:
            over.set()
        asking.result()


def put(url: str, spec: dict[str, Any]) -> None:
    """Register a model."""
    httpx2.put(url, json=spec, trust_env=False, timeout=30).raise_for_status()
