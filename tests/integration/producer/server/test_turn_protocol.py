"""What one caller begins on many connections, while another waits, on a real uvicorn."""

import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from typing import Any

import pytest
import uvicorn

from app.producer.server.bounded_protocol import ConnectionLimits, bounded
from tests.support.uvicorn_server import serving

SECONDS = 30.0
GREEDY, OTHER = "127.0.0.2", "127.0.0.1"
MANY = 200
BODY = b"a" * 150_000
UPLOADS, PIECES = 8, 100


class Application:
    """Notes whose requests have come whole; `/stop` stops the loop until `go` is set."""

    def __init__(self, expected: int) -> None:
        self.expected = expected
        self.stopped, self.go = threading.Event(), threading.Event()
        self.ended: list[str] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        caller = scope["client"][0]
        if scope["path"] == "/stop":
            self.stopped.set()
            self.go.wait(SECONDS)
        else:
            size, more = 0, True
            while more:
                message = await receive()
                size += len(message.get("body", b""))
                more = message.get("more_body", False)
            assert size in (0, self.expected)
            self.ended.append(caller)
        fields = [(b"content-length", b"0")]
        await send({"type": "http.response.start", "status": 200, "headers": fields})
        await send({"type": "http.response.body"})


@contextmanager
def served(expected: int = len(BODY)) -> Iterator[tuple[tuple[str, int], Application]]:
    listener = socket.create_server((OTHER, 0), backlog=2 * MANY)
    application = Application(expected)
    config = uvicorn.Config(
        application, http=bounded(ConnectionLimits(1000, 600.0)), ws="none", loop="uvloop",
        lifespan="off", log_config=None, timeout_graceful_shutdown=1,
    )  # fmt: skip
    with serving(config, listener):
        try:
            yield listener.getsockname(), application
        finally:
            application.go.set()


@pytest.mark.parametrize("body", [b"", BODY], ids=["requests", "bodies"])
def test_requests_of_a_caller_with_many_do_not_all_come_before_that_of_another(body: bytes) -> None:
    request = b"POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(body) + body
    with served() as (address, application), ExitStack() as stack:

        def connected(source: str) -> socket.socket:
            to = socket.create_connection(address, SECONDS, (source, 0))
            stack.callback(to.close)
            to.sendall(b"GET /a HTTP/1.1\r\nHost: x\r\n\r\n")
            assert to.recv(1000).startswith(b"HTTP/1.1 200")
            return to

        greedy = [connected(GREEDY) for _ in range(MANY)]
        other, stop = connected(OTHER), connected(OTHER)
        stop.sendall(b"GET /stop HTTP/1.1\r\nHost: x\r\n\r\n")
        assert application.stopped.wait(SECONDS)
        application.ended.clear()
        for each in (*greedy, other):  # the other one comes last
            each.sendall(request)
        application.go.set()
        for each in (other, *greedy):
            assert each.recv(1000).startswith(b"HTTP/1.1 200")
    assert application.ended.count(GREEDY) == MANY
    assert application.ended.index(OTHER) < MANY // 4


def test_bodies_come_whole_when_more_of_them_waits_than_is_parsed_in_an_iteration() -> None:
    body = b"10000\r\n%b\r\n" % (b"a" * 0x10000) * PIECES + b"0\r\n\r\n"
    with served(expected=PIECES * 0x10000) as (address, application), ExitStack() as stack:
        stop, *uploads = [
            stack.enter_context(socket.create_connection(address, SECONDS))
            for _ in range(1 + UPLOADS)
        ]
        for each in uploads:
            each.sendall(b"POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
        stop.sendall(b"GET /stop HTTP/1.1\r\nHost: x\r\n\r\n")
        assert application.stopped.wait(SECONDS)
        rest = [body[sent_until_full(each, body) :] for each in uploads]
        application.go.set()
        pool = stack.enter_context(ThreadPoolExecutor(UPLOADS))
        list(pool.map(socket.socket.sendall, uploads, rest))
        for each in uploads:
            assert each.recv(1000).startswith(b"HTTP/1.1 200")


def sent_until_full(connection: socket.socket, body: bytes) -> int:
    """Send what the buffers of the connection take; return the number of bytes."""
    connection.settimeout(0)
    sent = 0
    with suppress(BlockingIOError):
        while sent < len(body):
            sent += connection.send(body[sent : sent + 100_000])
    connection.settimeout(SECONDS)
    return sent
