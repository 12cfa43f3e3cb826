"""Requests on a real connection to a real uvicorn whose application echoes what it gets."""

import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from app.producer.server.uvicorn_protocol import HttpProtocol
from tests.support.uvicorn_server import serving

SECONDS = 30.0

Protocol = type[HttpToolsProtocol] | type[H11Protocol]


class Bytewise(HttpProtocol):
    """Gets each byte as a segment of its own."""

    def data_received(self, data: bytes) -> None:
        for byte in data:
            if not self.transport.is_closing():
                super().data_received(bytes([byte]))


class InSevens(HttpProtocol):
    """Gets seven bytes at a time."""

    def data_received(self, data: bytes) -> None:
        for start in range(0, len(data), 7):
            if not self.transport.is_closing():
                super().data_received(data[start : start + 7])


async def echo(scope: Any, receive: Any, send: Any) -> None:
    """Answer with the method, the target, the body and the names of the header fields."""
    body, more = b"", True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    names, values = (
        [each.decode() for each in part] for part in zip(*scope["headers"], strict=True)
    )
    said = json.dumps([scope["method"], scope["path"], body.decode(), names, values]).encode()
    fields = [(b"content-length", b"%d" % len(said))]
    await send({"type": "http.response.start", "status": 200, "headers": fields})
    await send({"type": "http.response.body", "body": said})


@contextmanager
def served(protocol: Protocol) -> Iterator[tuple[str, int]]:
    """Serve the echo; yield its address."""
    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(
        echo, http=protocol, ws="none", loop="uvloop", lifespan="off", log_config=None
    )
    with serving(config, listener):
        yield listener.getsockname()


@pytest.fixture(scope="module", params=[HttpProtocol, Bytewise, InSevens, H11Protocol])
def address(request: pytest.FixtureRequest) -> Iterator[tuple[str, int]]:
    """Ours, with what is sent in one segment and in many; h11 agrees with what is expected."""
    with served(request.param) as found:
        yield found


@pytest.fixture(scope="module")
def ours() -> Iterator[tuple[str, int]]:
    with served(HttpProtocol) as found:
        yield found


def answers(address: tuple[str, int], sent: bytes) -> list[tuple[int, Any]]:
    """Send all at once; return the status and body of each answer, up to the connection's end."""
    with socket.create_connection(address, SECONDS) as connection:
        connection.sendall(sent)
        with connection.makefile("rb") as received:
            return list(parsed(received))


def parsed(received: Any) -> Iterator[tuple[int, Any]]:
    while line := received.readline():
        size = 0
        while (field := received.readline()) != b"\r\n":
            name, _, value = field.partition(b":")
            size = int(value) if name.lower() == b"content-length" else size
        body = received.read(size)
        status = int(line.split()[1])
        yield status, json.loads(body) if status == 200 else body


def echoed(found: list[tuple[int, Any]]) -> list[str]:
    """Return the method, target and body of the requests that were served."""
    assert [status for status, _ in found] == [200] * len(found), found
    return [" ".join(body[:3]) for _, body in found]


HIDDEN = "GET /hidden HTTP/1.1\r\nHost: x\r\n\r\n"
OFFERS = {
    "none": "",
    "h2c": "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n",
    "websocket": "Connection: keep-alive, Upgrade\r\nupgrade: websocket\r\n"
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n",
    "several": "Upgrade: h2c\r\nUpgrade: TLS/1.2, a/2\r\nConnection: a\r\nConnection: upgrade\r\n",
    "empty": "Upgrade:\r\nConnection: upgrade\r\n",
}
BODIES = {
    "none": ("", ""),
    "empty": ("Content-Length: 0\r\n\r\n", ""),
    "length": (f"Content-Length: {len(HIDDEN)}\r\n\r\n{HIDDEN}", HIDDEN),
    "chunks": (
        f"Transfer-Encoding: chunked\r\n\r\n2\r\n{{}}\r\n{len(HIDDEN):x}\r\n{HIDDEN}\r\n0\r\n\r\n",
        "{}" + HIDDEN,
    ),
    "long": (f"Content-Length: {len(HIDDEN) * 5000}\r\n\r\n{HIDDEN * 5000}", HIDDEN * 5000),
}


def request(method: str, target: str, offer: str, body: str) -> tuple[str, str]:
    """Return a request, and what of it is echoed."""
    framing, content = BODIES[body]
    raw = f"{method} {target} HTTP/1.1\r\nHost: x\r\n{offer}{framing or chr(13) + chr(10)}"
    return raw, f"{method} {target} {content}"


@pytest.mark.parametrize("body", BODIES)
@pytest.mark.parametrize("offer", OFFERS)
@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE", "OPTIONS"])
def test_an_offer_is_ignored_and_each_request_gets_one_answer(
    address: tuple[str, int], method: str, offer: str, body: str
) -> None:
    first, second = (request(method, target, OFFERS[offer], body) for target in ("/a?b=c", "/d"))
    between = request("POST", "/plain", "", body)
    last = request("GET", "/last", OFFERS[offer] + "Connection: close\r\n", body)
    told = answers(address, "".join(raw for raw, _ in (first, between, second, last)).encode())
    expected = [first[1].replace("?b=c", ""), between[1], second[1], last[1]]
    assert echoed(told) == expected


@pytest.mark.parametrize("offer", ["h2c", "websocket"])
@pytest.mark.parametrize("version", ["1.0", "1.1"])
def test_a_connection_ends_when_the_client_wants_it_to(
    address: tuple[str, int], offer: str, version: str
) -> None:
    close = "Connection: close\r\n" if version == "1.1" else ""
    head = f"POST /a HTTP/{version}\r\nHost: x\r\n{OFFERS[offer]}{close}Content-Length: 2\r\n\r\n"
    assert echoed(answers(address, f"{head}{{}}".encode())) == ["POST /a {}"]


def test_a_client_that_waits_for_100_continue_gets_it(address: tuple[str, int]) -> None:
    head = f"POST /a HTTP/1.1\r\nHost: x\r\n{OFFERS['h2c']}Connection: close\r\n"
    with socket.create_connection(address, SECONDS) as connection:
        connection.sendall(f"{head}Expect: 100-continue \t\r\nContent-Length: 2\r\n\r\n".encode())
        with connection.makefile("rb") as received:
            assert received.readline() == b"HTTP/1.1 100 Continue\r\n"
            assert received.readline() == b"\r\n"
            connection.sendall(b"{}")
            assert echoed(list(parsed(received))) == ["POST /a {}"]


def test_many_offers_in_one_segment_are_ignored_one_by_one(address: tuple[str, int]) -> None:
    raw, told = request("POST", "/a", OFFERS["h2c"], "length")
    last, last_told = request("GET", "/b", "Connection: close\r\n", "none")
    found = answers(address, (raw * 300 + last).encode())
    assert echoed(found) == [told] * 300 + [last_told]


def test_the_header_fields_arrive_without_the_offer(ours: tuple[str, int]) -> None:
    sent = f"GET /a HTTP/1.1\r\nHost: x\r\nX-Empty:\r\n{OFFERS['h2c']}Connection: close\r\n\r\n"
    ((_, (*_, names, _)),) = answers(ours, sent.encode())
    assert names == ["host", "x-empty", "connection", "http2-settings", "connection"]


def test_trailer_fields_are_no_header_fields(address: tuple[str, int]) -> None:
    trailers = "X-Forwarded-For: 1.2.3.4\r\nUpgrade: h2c\r\nExpect: 100-continue\r\n"
    head = "POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n"
    sent = f"{head}\r\n2\r\n{{}}\r\n0\r\n{trailers}\r\n{head}Connection: close\r\n\r\n0\r\n\r\n"
    found = answers(address, sent.encode())
    assert echoed(found) == ["POST /a {}", "POST /a "]
    assert found[0][1][3] == ["host", "transfer-encoding"]


@pytest.mark.parametrize("offer", ["none", "h2c"])
def test_blanks_round_the_value_of_a_field_do_not_belong_to_it(
    address: tuple[str, int], offer: str
) -> None:
    fields = "Host:\t x \t\r\nIf-None-Match:* \r\nX:\r\nY: \t\r\nConnection: close \r\n"
    ((_, found),) = answers(address, f"GET /a HTTP/1.1\r\n{OFFERS[offer]}{fields}\r\n".encode())
    assert found[4][-5:] == ["x", "*", "", "", "close"]


@pytest.mark.parametrize("target", ["/a", "x:443", "x"])
@pytest.mark.parametrize("body", ["none", "length", "chunks"])
def test_connect_is_refused_and_nothing_after_it_is_a_request(
    ours: tuple[str, int], target: str, body: str
) -> None:
    raw, _ = request("CONNECT", target, "", body)
    ((status, told),) = answers(ours, (raw + HIDDEN).encode())
    assert (status, told) == (400, b"CONNECT is refused: this server is no proxy.")


@pytest.mark.parametrize("offer", ["none", "h2c"])
@pytest.mark.parametrize(
    "wrong",
    [
        "Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
        "Transfer-Encoding: chunked\r\n\r\nzz\r\n",
        "Transfer-Encoding: gzip\r\n\r\n{}",
    ],
)
def test_a_body_whose_end_is_unclear_ends_the_connection(
    ours: tuple[str, int], offer: str, wrong: str
) -> None:
    sent = f"POST /a HTTP/1.1\r\nHost: x\r\n{OFFERS[offer]}{wrong}{HIDDEN}"
    assert [status for status, _ in answers(ours, sent.encode())] == [400]


@pytest.mark.parametrize("protocol", [HttpProtocol, Bytewise])
@pytest.mark.parametrize(
    "wrong",
    [
        "\0",
        "GET /c HTTP/1.1\r\nHost x\r\n\r\n",
        "GET /c HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
        f"CONNECT x:443 HTTP/1.1\r\nHost: x\r\n\r\n{HIDDEN}",
    ],
)
def test_the_requests_before_a_broken_one_get_their_answers(protocol: Protocol, wrong: str) -> None:
    requests = [request("POST", target, OFFERS["none"], "chunks") for target in ("/a", "/b")]
    sent = "".join(raw for raw, _ in requests) + wrong
    with served(protocol) as address:
        assert echoed(answers(address, sent.encode())) == [told for _, told in requests]


FAULTS = {
    "an offer ends the body": f"{OFFERS['h2c']}Connection: close\r\nContent-Length: 2\r\n\r\n{{}}",
    "the answer to a broken request goes to one before": "\r\nGET /b HTTP/1.1\r\nHost x\r\n\r\n",
    "trailer fields become header fields": "Connection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
    "2\r\n{}\r\n0\r\nHttp2-Settings: a\r\n\r\n",
}


@pytest.mark.parametrize("fault", FAULTS)
def test_uvicorn_still_has_what_is_corrected_here(ours: tuple[str, int], fault: str) -> None:
    """If this fails, a new uvicorn has mended it: remove the correction from `HttpProtocol`."""
    sent = f"POST /a HTTP/1.1\r\nHost: x\r\n{FAULTS[fault]}".encode()
    with served(HttpToolsProtocol) as address:
        assert answers(address, sent) != answers(ours, sent)


@pytest.mark.parametrize(
    ("sent", "reason"),
    [
        (
            "POST / HTTP/1.1\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\n{}",
            "Duplicate Content-Length",
        ),
        ("POST / HTTP/1.1\r\nX: a\r\n b\r\n\r\n", "Unexpected whitespace after header value"),
        ("GET / HTTP/1.1\nHost: x\n\n", "Expected CRLF after version"),
        ("GET /ä HTTP/1.1\r\n\r\n", "Invalid char in url path"),
        ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "only HTTP/1.1 is served"),
        ("GET http://x.example HTTP/1.1\r\n\r\n", "Invalid target"),
        (f"GET /{'a' * 70_000} HTTP/1.1\r\n\r\n", "Invalid target"),
    ],
)
def test_what_is_no_http_is_told(ours: tuple[str, int], sent: str, reason: str) -> None:
    assert answers(ours, sent.encode()) == [(400, f"Invalid HTTP request: {reason}".encode())]


def test_a_client_that_sends_no_more_gets_its_answers(ours: tuple[str, int]) -> None:
    requests = [request("POST", target, OFFERS["none"], "length") for target in ("/a", "/b")]
    with socket.create_connection(ours, SECONDS) as connection:
        connection.sendall("".join(sent for sent, _ in requests).encode())
        connection.shutdown(socket.SHUT_WR)
        with connection.makefile("rb") as received:
            assert echoed(list(parsed(received))) == [told for _, told in requests]


@pytest.mark.parametrize("sent", ["", "POST /a HTTP/1.1\r\nContent-Length: 2\r\n\r\n{"])
def test_a_client_that_ends_within_a_request_gets_no_answer(
    ours: tuple[str, int], sent: str
) -> None:
    with socket.create_connection(ours, SECONDS) as connection:
        connection.sendall(sent.encode())
        connection.shutdown(socket.SHUT_WR)
        assert connection.recv(1) == b""
