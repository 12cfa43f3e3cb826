"""The bounds of connections, on a real uvicorn."""

import asyncio
import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from email.utils import parsedate_to_datetime
from typing import Any

import pytest
import uvicorn

from app.producer.server.bounded_protocol import MAX_HEAD, ConnectionLimits, bounded
from tests.support.uvicorn_server import serving

SECONDS = 30.0
FOREVER = 600.0
HEAD = b"GET /a HTTP/1.1\r\nHost: x\r\n"
LONG = 20_000_000  # bytes of an answer, more than the kernel keeps for a client


class Server:
    """An application that says how long each body is; it answers `/held` when `go` is set."""

    def __init__(self) -> None:
        self.go = threading.Event()
        self.held = threading.Event()
        self.ended = threading.Event()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        size, more = 0, scope["path"] != "/early"  # which is answered before its body has come
        message: Any = {"type": "http.request"}
        while more:
            message = await receive()
            size += len(message.get("body", b""))
            more = message.get("more_body", False)
        if message["type"] == "http.disconnect":
            return
        said = b"%d" % size
        if scope["path"] == "/long":
            said = bytes(LONG)
        elif scope["path"] == "/held":
            self.held.set()
            await asyncio.to_thread(self.go.wait, SECONDS)
        fields = [(b"content-length", b"%d" % len(said))]
        await send({"type": "http.response.start", "status": 200, "headers": fields})
        for start in range(0, len(said), 100_000):
            piece = said[start : start + 100_000]
            await send(
                {
                    "type": "http.response.body",
                    "body": piece,
                    "more_body": start + 100_000 < len(said),
                }
            )
        self.ended.set()


@contextmanager
def served(
    connections: int = 100, head_seconds: float = FOREVER, unread_seconds: float = FOREVER
) -> Iterator[tuple[tuple[str, int], Server]]:
    listener = socket.create_server(("127.0.0.1", 0))
    application = Server()
    config = uvicorn.Config(
        application,
        http=bounded(ConnectionLimits(connections, head_seconds, unread_seconds)),
        ws="none",
        loop="uvloop",
        lifespan="off",
        log_config=None,
        timeout_keep_alive=int(FOREVER),
        timeout_graceful_shutdown=1,
    )
    with serving(config, listener):
        try:
            yield listener.getsockname(), application
        finally:
            application.go.set()


@contextmanager
def connected(address: tuple[str, int], *sent: bytes) -> Iterator[Any]:
    """A connection on which something was sent, as a file to read from."""
    with socket.create_connection(address, SECONDS) as connection:
        for each in sent:
            connection.sendall(each)
        with connection.makefile("rb") as received:
            yield received


def answer(received: Any) -> tuple[int, bytes]:
    """Read one answer: its status and its body."""
    status, _, body = response(received)
    return status, body


def response(received: Any) -> tuple[int, dict[bytes, bytes], bytes]:
    """Read one answer: its status, its header fields and its body."""
    status, fields = int(received.readline().split()[1]), {}
    while (field := received.readline()) != b"\r\n":
        name, _, value = field.partition(b":")
        fields[name.lower()] = value.strip()
    return status, fields, received.read(int(fields.get(b"content-length", 0)))


def problem(received: Any) -> tuple[int, str]:
    """Read a problem document, after which the connection ends: its status and detail."""
    status, fields, body = response(received)
    told = json.loads(body)
    assert parsedate_to_datetime(fields[b"date"].decode())  # RFC 9110, 6.6.1
    assert fields[b"connection"] == b"close"
    assert (told["status"], told["type"]) == (status, "about:blank")
    assert received.read() == b""
    return status, told["detail"]


TOO_LARGE = 431, f"the header fields of a request may have at most {MAX_HEAD} bytes"
FIELDS = b"".join(b"X-%d: %s\r\n" % (number, b"a" * 90) for number in range(1000))
CHUNKED = b"POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"


@pytest.mark.parametrize(
    "sent",
    [
        HEAD + FIELDS,
        HEAD + b"X: " + b"a" * (MAX_HEAD + 1000),
        b"GET /" + b"a" * (MAX_HEAD + 1000),
        HEAD + FIELDS + b"\r\n",
        CHUNKED + b"0\r\n" + FIELDS,
        CHUNKED + b"2\r\n{}\r\n0\r\nX: " + b"a" * (MAX_HEAD + 5000),
        CHUNKED + b"2;" + b"a" * (MAX_HEAD + 5000),
    ],
    ids=["fields", "field", "target", "complete", "trailers", "trailer", "extension"],
)
@pytest.mark.parametrize("piece", [1000, 10_000_000])
def test_a_head_that_is_too_large_is_refused(sent: bytes, piece: int) -> None:
    pieces = [sent[start : start + piece] for start in range(0, len(sent), piece)]
    with served() as (address, _), connected(address, *pieces) as received:
        assert problem(received) == TOO_LARGE


def test_large_heads_within_the_limit_and_any_body_are_served() -> None:
    fields = FIELDS[: MAX_HEAD - 2000].rpartition(b"\r\n")[0] + b"\r\n"
    body = b"a" * 3_000_000
    head = HEAD.replace(b"GET", b"POST") + fields + b"Content-Length: 3000000\r\n\r\n"
    with served() as (address, _), connected(address, *[head + body] * 3) as received:
        assert [answer(received) for _ in range(3)] == [(200, b"3000000")] * 3


def test_the_requests_before_a_head_that_is_too_large_get_their_answers() -> None:
    held = b"GET /held HTTP/1.1\r\n\r\n"
    with served() as (address, server), connected(address, held + HEAD, FIELDS) as received:
        server.go.set()
        assert answer(received) == (200, b"0")
        assert received.read() == b""


@pytest.mark.parametrize("sent", [b"GET", HEAD, b"GET / HTTP/1.1\r\n\r\n" + HEAD])
def test_a_head_that_does_not_end_is_refused(sent: bytes) -> None:
    with served(head_seconds=0.2) as (address, _), connected(address, sent) as received:
        if sent.endswith(b"\r\n\r\n" + HEAD):
            assert answer(received) == (200, b"0")
        assert problem(received) == (408, "the header fields did not arrive within 0.2 s")


@pytest.mark.parametrize("sent", [b"", b"\r\n", b"\r\n" * 10])
def test_a_new_connection_without_a_request_is_closed(sent: bytes) -> None:
    with served(head_seconds=0.2) as (address, _), connected(address, sent) as received:
        assert received.read() == b""


def test_a_new_connection_takes_the_place_of_the_one_that_is_idle_for_longest() -> None:
    with (
        served(connections=2) as (address, _),
        connected(address, HEAD) as first,
        connected(address, HEAD) as second,
        connected(address, HEAD + b"\r\n") as third,
    ):
        assert first.read() == b""
        assert answer(third) == (200, b"0")
        with connected(address, HEAD + b"\r\n") as fourth:
            assert second.read() == b""
            assert answer(fourth) == (200, b"0")


def test_requests_are_not_given_up_for_a_new_connection() -> None:
    with (
        served(connections=1) as (address, server),
        connected(address, b"GET /held HTTP/1.1\r\n\r\n") as received,
    ):
        assert server.held.wait(SECONDS)
        with connected(address) as another:
            said = "too many connections are open; connect again in a moment"
            assert problem(another) == (503, said)
        server.go.set()
        assert answer(received) == (200, b"0")


@pytest.mark.parametrize("reads", [True, False])
def test_a_client_that_does_not_read_its_answer_is_disconnected(reads: bool) -> None:
    with (
        served(unread_seconds=1.0) as (address, server),
        connected(address, b"GET /long HTTP/1.1\r\n\r\n") as received,
    ):
        if not reads:
            assert server.ended.wait(SECONDS)  # it can send all of it to nobody
        _, body = answer(received)
        assert (len(body) == LONG) is reads


@pytest.mark.parametrize(
    "request_", [b"GET /a HTTP/1.1\r\n\r\n", HEAD + b"Content-Length: 1\r\n\r\na"]
)
def test_many_requests_at_once_are_all_answered(request_: bytes) -> None:
    count = 5000
    with served() as (address, _), socket.create_connection(address, SECONDS) as connection:
        sender = threading.Thread(target=connection.sendall, args=(request_ * count,))
        sender.start()
        with connection.makefile("rb") as received:
            sizes = {answer(received) for _ in range(count)}
        sender.join()
        assert len(sizes) == 1


def test_a_connection_goes_on_after_an_answer_that_came_before_the_end_of_the_body() -> None:
    early = b"POST /early HTTP/1.1\r\nHost: x\r\nContent-Length: 5000\r\n\r\n" + b"a" * 5000
    with served() as (address, _), socket.create_connection(address, SECONDS) as connection:
        connection.sendall(HEAD + b"\r\n" + early)
        received = connection.makefile("rb")
        assert [answer(received) for _ in range(2)] == [(200, b"0"), (200, b"0")]
        connection.sendall(HEAD + b"\r\n")
        assert answer(received) == (200, b"0")
        received.close()
