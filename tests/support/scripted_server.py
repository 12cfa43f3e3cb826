"""An HTTP server that answers what a test has written down, and notes what it was asked."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

DROPPED = 0  # the status of an answer that never comes: the connection ends


@dataclass(frozen=True)
class Asked:
    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Script:
    """Answers in the order in which they are given: `(status, body, headers)`."""

    answers: list[tuple[int, bytes, dict[str, str]]] = field(default_factory=list)
    asked: list[Asked] = field(default_factory=list)
    url: str = ""

    def answer(self, status: int, content: Any = None, **headers: str) -> None:
        """Add an answer: JSON, or bytes as they are."""
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        kind = "application/json" if status < 400 else "application/problem+json"
        self.answers.append((status, body, {"Content-Type": kind, **named}))

    def problem(self, status: int, kind: str, detail: str = "no", **more: Any) -> None:
        """Add a problem document; `retry_after` is its header."""
        headers = {"Retry-After": str(more.pop("retry_after"))} if "retry_after" in more else {}
        problem = {"type": kind, "title": "T", "status": status, "detail": detail, **more}
        body = json.dumps(problem).encode()
        self.answers.append((status, body, {"Content-Type": "application/problem+json", **headers}))

    def drop(self) -> None:
        """Add an end of the connection in place of an answer."""
        self.answers.append((DROPPED, b"", {}))


@contextmanager
def scripted_server() -> Iterator[Script]:
    """Run a server on a port of its own."""
    script = Script()

    class Handler(BaseHTTPRequestHandler):
        def _answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            asked = Asked(self.command, self.path, dict(self.headers.items()), body)
            script.asked.append(asked)
            status, content, headers = script.answers.pop(0)
            self.close_connection = True
            if status == DROPPED:
                return
            self.send_response(status)
            for name, value in {"Content-Length": str(len(content)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_PUT = do_POST = do_DELETE = _answer  # noqa: N815  the names of http.server

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    script.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield script
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
