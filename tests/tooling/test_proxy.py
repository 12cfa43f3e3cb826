"""The proxy of the chaos run does the harm it is told to, and none otherwise."""

import socket
import threading
from collections.abc import Iterator
from contextlib import suppress

import httpx2
import pytest

from tests.chaos.loop import Loop
from tests.chaos.proxy import Mode, Proxy, canned
from tests.support.waiting import until

SECONDS = 20.0


class Echo(threading.Thread):
    """A server that says what it hears."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self.start()

    def run(self) -> None:
        with suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                threading.Thread(target=self._say, args=(near,), daemon=True).start()

    def _say(self, near: socket.socket) -> None:
        with near, suppress(OSError):
            while heard := near.recv(65536):
                near.sendall(heard)

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()


@pytest.fixture
def proxy() -> Iterator[Proxy]:
    echo, loop = Echo(), Loop()
    made = Proxy(loop, echo.port)
    yield made
    made.close()
    loop.close()
    echo.close()


def connect(proxy: Proxy) -> socket.socket:
    return socket.create_connection(("127.0.0.1", proxy.port), SECONDS)


def hear(near: socket.socket, size: int) -> bytes:
    """Read so much, or what comes before the end."""
    heard = b""
    while len(heard) < size and (more := near.recv(65536)):
        heard += more
    return heard


def said(near: socket.socket, text: bytes = b"hello") -> bool:
    near.sendall(text)
    return hear(near, len(text)) == text


def test_it_passes_everything_on(proxy: Proxy) -> None:
    text = bytes(range(256)) * 4000
    with connect(proxy) as near:
        sender = threading.Thread(target=near.sendall, args=(text,))
        sender.start()
        assert hear(near, len(text)) == text
        sender.join()


def test_it_cuts_and_lets_new_connections_through(proxy: Proxy) -> None:
    with connect(proxy) as near:
        assert said(near)
        proxy.cut()
        assert near.recv(1) == b""
    with connect(proxy) as near:
        assert said(near)


def test_it_resets(proxy: Proxy) -> None:
    with connect(proxy) as near:
        assert said(near)
        proxy.cut(reset=True)
        with pytest.raises(ConnectionResetError):
            near.recv(1)


def test_it_cuts_after_some_bytes(proxy: Proxy) -> None:
    with connect(proxy) as near:
        assert said(near)
        proxy.add(Mode(cut_after=8))
        assert said(near)  # five of eight
        near.sendall(b"hello")
        with pytest.raises(ConnectionResetError):
            hear(near, 5)


def test_what_was_stalled_arrives_late(proxy: Proxy) -> None:
    mode = Mode(stall=True)
    with connect(proxy) as near:
        assert said(near)
        proxy.add(mode)
        near.sendall(b"late")
        near.settimeout(0.1)
        with pytest.raises(TimeoutError):
            near.recv(1)
        proxy.remove(mode)
        near.settimeout(SECONDS)
        assert hear(near, 4) == b"late"


def test_a_connection_that_lost_bytes_is_reset(proxy: Proxy) -> None:
    with connect(proxy) as near, connect(proxy) as idle:
        assert said(near)
        assert said(idle)
        proxy.add(Mode(swallow=True))
        near.sendall(b"gone")
        until(lambda: proxy.swallowed, "it is lost")
        near.settimeout(0.1)
        with pytest.raises(TimeoutError):
            near.recv(1)
        proxy.heal()
        near.settimeout(SECONDS)
        with pytest.raises(ConnectionResetError):
            near.recv(1)
        assert said(idle)


def test_it_refuses_and_listens_again(proxy: Proxy) -> None:
    proxy.add(Mode(refuse=True))
    with pytest.raises(ConnectionRefusedError):
        connect(proxy)
    proxy.heal()
    with connect(proxy) as near:
        assert said(near)


def test_the_oldest_of_two_modes_is_in_force(proxy: Proxy) -> None:
    stalled, refused = Mode(stall=True), Mode(refuse=True)
    proxy.add(stalled)
    proxy.add(refused)
    with connect(proxy) as near:
        near.sendall(b"hello")
        proxy.remove(refused)
        proxy.remove(stalled)
        assert hear(near, 5) == b"hello"


def test_it_answers_in_the_servers_place(proxy: Proxy) -> None:
    proxy.add(Mode(answer=canned(503, "SlowDown")))
    url = f"http://127.0.0.1:{proxy.port}/warren/a"
    answer = httpx2.put(url, content=b"x" * 200, trust_env=False)
    assert answer.status_code == 503
    assert "<Code>SlowDown</Code>" in answer.text
