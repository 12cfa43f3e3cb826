"""A server in front of S3 that passes every request on and remembers which objects were read."""

import http.client
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

#: Of one connection only, and not to be passed on.
HOP = {"connection", "keep-alive", "transfer-encoding", "expect"}


class Counter(ThreadingHTTPServer):
    """`reads` holds the path of each object that was asked for with GET."""

    daemon_threads = True

    def __init__(self, target: str) -> None:
        """Listen on a free port; requests go on to `target`, an address like http://host:port."""
        super().__init__(("127.0.0.1", 0), _Handler)
        self.target = str(urlsplit(target).netloc)
        self.reads: list[str] = []

    @property
    def url(self) -> str:
        """The address to be used in the place of the target's."""
        return f"http://127.0.0.1:{self.server_port}"

    def count(self, part: str) -> int:
        """Count the reads of objects whose path holds this."""
        return sum(part in path for path in list(self.reads))


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1  # head and body leave together
    server: Counter

    def _pass_on(self) -> None:
        if self.command == "GET":
            self.server.reads.append(self.path)
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        far = http.client.HTTPConnection(self.server.target, timeout=30)
        # The signature covers the header Host as the client sent it, so it is passed on as it is.
        far.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
        for name, value in self.headers.items():
            if name.lower() not in HOP:
                far.putheader(name, value)
        far.endheaders(body)
        answer = far.getresponse()
        content = answer.read()
        far.close()
        self.send_response_only(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in HOP | {"content-length"}:
                self.send_header(name, value)
        length = answer.getheader("Content-Length") if self.command == "HEAD" else len(content)
        self.send_header("Content-Length", str(length or 0))
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_PUT = do_HEAD = do_POST = do_DELETE = _pass_on  # noqa: N815

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def counted(target: str) -> Iterator[Counter]:
    """Stand in front of a server for the length of the block."""
    with Counter(target) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
