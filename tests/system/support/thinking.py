"""A model behind HTTP that does what a test wants."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from app.jobs.store import JobStore
from app.models.endpoint import EndpointSpec
from app.models.registry import CachedModelRegistry
from tests.system.support.processes import Stack

HOLD_SECONDS = 60


class Remote:
    """Answers `answer` with `status`, and while it is `held` not before it is let go."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.asked: list[dict[str, Any]] = []
        self.status = 200
        self.answer: Any = {"prediction": 7.5}
        self._gate = threading.Event()
        self._gate.set()

    def hold(self) -> None:
        self._gate.clear()

    def let_go(self) -> None:
        self._gate.set()

    def take(self, body: bytes) -> tuple[int, bytes]:
        self.asked.append(json.loads(body))
        self._gate.wait(HOLD_SECONDS)
        return self.status, json.dumps(self.answer).encode()

    def register(self, stack: Stack, model_id: str, **spec: Any) -> str:
        """Write it into the table as a model; return its id."""
        jobs = JobStore(stack.environment["DATABASE_URL"])
        assert CachedModelRegistry(jobs).register(model_id, EndpointSpec(url=self.url, **spec))
        jobs.close()
        return model_id


@contextmanager
def remote() -> Iterator[Remote]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            status, answer = made.take(body)
            try:
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)
            except OSError:
                pass  # whoever asked has gone

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    made = Remote(f"http://127.0.0.1:{server.server_port}/")
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield made
    finally:
        made.let_go()
        server.shutdown()
        server.server_close()
        thread.join()
