"""Clients that offer another protocol, as the JDK's does by default: Warren goes on in HTTP/1.1."""

import json
import socket
import subprocess
from pathlib import Path

import pytest

from devstack.demo import ROW
from tests.system.conftest import Running
from tests.system.support.client import PREDICTION
from tests.system.support.processes import SECONDS
from tests.system.support.programs import program

PLAIN_HTTP = True  # it speaks HTTP by itself

JAVA_CLIENT = Path(__file__).parent / "support" / "JavaClient.java"
H2C = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAoAAA\r\n"
WEBSOCKET = b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
HEALTH = b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n"


@pytest.mark.parametrize("length", [100, 300_000])
def test_the_client_of_the_jdk_gets_its_predictions(
    running: Running, model_id: str, length: int
) -> None:
    body = json.dumps({"model_id": model_id, "input_data": ROW}).ljust(length)
    command = [program("java"), str(JAVA_CLIENT), f"{running.http.base_url}/predict"]
    ran = subprocess.run(command, input=body, capture_output=True, text=True, timeout=SECONDS)
    answers = [line.split(" ", 2) for line in ran.stdout.splitlines()]
    assert [each[:2] for each in answers] == [["200", "HTTP_1_1"]] * 3, ran
    for *_, body in answers:
        assert json.loads(body)["message"]["prediction"] == pytest.approx(PREDICTION, abs=1e-3)


@pytest.mark.parametrize("offer", [H2C, WEBSOCKET])
@pytest.mark.parametrize("body", [b"{}", HEALTH])
def test_a_body_is_read_as_a_body(running: Running, offer: bytes, body: bytes) -> None:
    head = b"POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    framing = b"Connection: close\r\nContent-Length: %d\r\n\r\n" % len(body)

    plain, offering = (said(running, [head + each + framing, body]) for each in (b"", offer))

    assert plain.startswith(b"HTTP/1.1 422 ")
    assert plain.count(b"HTTP/1.1 ") == 1
    assert without_date(offering) == without_date(plain)


def said(running: Running, segments: list[bytes]) -> bytes:
    """Send segments; return all that the producer says until it closes the connection."""
    address = (running.http.base_url.host, running.http.base_url.port)
    with socket.create_connection(address, SECONDS) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for each in segments:
            connection.sendall(each)
        with connection.makefile("rb") as received:
            return received.read()


def without_date(answer: bytes) -> list[bytes]:
    return [line for line in answer.split(b"\r\n") if not line.startswith(b"date: ")]
