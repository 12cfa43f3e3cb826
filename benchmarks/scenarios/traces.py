"""What spans cost /predict, in the producer and the consumer.

One in a hundred traces is recorded and sent to a collector that reads nothing of it.
"""

import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from benchmarks.harness.in_turn import Requests, compared
from benchmarks.harness.servers import Bench, Stack

NAME = "traces"


def run(bench: Bench) -> list[dict[str, Any]]:
    """Load a producer and a consumer without spans, and others that make them."""
    with ExitStack() as running:
        collectors = {"off": "", "1 %": running.enter_context(_collector())}
        sides = {
            name: Requests(running.enter_context(_stack(bench, collector)), bench.body)
            for name, collector in collectors.items()
        }
        return compared(bench, sides)


def _stack(bench: Bench, collector: str) -> AbstractContextManager[Stack]:
    return bench.stack(OTEL_EXPORTER_OTLP_ENDPOINT=collector)


@contextmanager
def _collector() -> Iterator[str]:
    """Accept what is sent to a free port, and return its address."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            """Drop what has come."""
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
