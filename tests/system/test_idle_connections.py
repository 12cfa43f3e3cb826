"""Connections without a request: how long they stay, and that no shutdown waits for them."""

import socket
from contextlib import ExitStack

import httpx2

from app.runtime import raise_open_file_limit
from tests.system.support.processes import SECONDS, Stack

PLAIN_HTTP = True  # it speaks HTTP by itself

HEALTH = b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n"


def connected(http: httpx2.Client, sent: bytes) -> socket.socket:
    """Open a connection, send something and, if that has a request, read its answer."""
    address = (http.base_url.host, http.base_url.port)
    connection = socket.create_connection(address, SECONDS)
    connection.sendall(sent)
    if sent.startswith(HEALTH):
        read_answer(connection)
    return connection


def read_answer(connection: socket.socket) -> None:
    answer = b""
    while not answer.endswith(b'{"status":"ok"}'):
        received = connection.recv(4096)
        assert received, answer
        answer += received


def test_an_idle_connection_is_closed_when_its_time_is_over(stack: Stack) -> None:
    _, http = stack.producer(KEEP_ALIVE_SECONDS="1")
    with connected(http, HEALTH) as connection:
        connection.sendall(HEALTH)  # it is open for another request
        read_answer(connection)
        assert connection.recv(4096) == b""


def test_a_producer_that_is_told_to_end_closes_idle_connections(stack: Stack) -> None:
    raise_open_file_limit()
    producer, http = stack.producer(KEEP_ALIVE_SECONDS="600")
    with ExitStack() as connections:
        idle = [
            connections.enter_context(connected(http, sent))
            for sent in (HEALTH, b"", b"GET /he", HEALTH + b"GET /he")
            for _ in range(100)
        ]
        producer.terminate()
        assert producer.wait() == 0
        assert {each.recv(4096) for each in idle} == {b""}
