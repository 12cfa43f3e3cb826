"""HTTPS on a real uvicorn, whose certificate is replaced while it serves."""

import logging
import shutil
import socket
import ssl
import warnings
from collections.abc import Iterator
from http.client import HTTPResponse
from pathlib import Path
from typing import Any

import pytest
import uvicorn

from app import errors
from app.producer.server.bounded_protocol import MAX_HEAD, ConnectionLimits, bounded
from app.producer.server.server_certificate import ServerCertificate
from app.producer.server.server_loop import ServerLoop
from devstack.authority import Authority, Certificate
from tests.support.uvicorn_server import serving

SECONDS = 30.0
ASK = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"


async def scheme_of(scope: Any, receive: Any, send: Any) -> None:
    said = scope["scheme"].encode()
    fields = [(b"content-length", b"%d" % len(said))]
    await send({"type": "http.response.start", "status": 200, "headers": fields})
    await send({"type": "http.response.body", "body": said})


class HastyLoop(ServerLoop):
    handshake_seconds = 0.5


class Served:
    """A server, the files of its certificate, and what a client sees of them."""

    def __init__(self, folder: Path, authority: Authority, address: tuple[str, int]) -> None:
        self.authority = authority
        self.address = address
        self.chain, self.key = folder / "tls.crt", folder / "tls.key"

    def put(self, certificate: Certificate) -> None:
        self.put_key(certificate)
        self.put_chain(certificate)

    def put_chain(self, certificate: Certificate) -> None:
        shutil.copyfile(certificate.chain, self.chain)

    def put_key(self, certificate: Certificate) -> None:
        shutil.copyfile(certificate.key, self.key)

    def connect(self, **names: str) -> ssl.SSLSocket:
        plain = socket.create_connection(self.address, SECONDS)
        return self.authority.trust().wrap_socket(
            plain, server_hostname=names.get("name", "127.0.0.1")
        )

    def shown(self, **names: str) -> str:
        """Return the name in the certificate that a new connection gets."""
        with self.connect(**names) as connection:
            return subject(connection)


def subject(connection: ssl.SSLSocket) -> str:
    found: Any = connection.getpeercert()
    return str(dict(each for part in found["subject"] for each in part)["commonName"])


def ask(connection: ssl.SSLSocket) -> bytes:
    """Return the scheme that the application was told."""
    connection.sendall(ASK)
    answer = HTTPResponse(connection)
    answer.begin()
    return answer.read()


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("tls"))


@pytest.fixture(scope="module")
def first(authority: Authority) -> Certificate:
    return authority.server("first")


@pytest.fixture(scope="module")
def second(authority: Authority) -> Certificate:
    return authority.server("second")


@pytest.fixture
def served(authority: Authority, first: Certificate, tmp_path: Path) -> Iterator[Served]:
    listener = socket.create_server(("127.0.0.1", 0))
    made = Served(tmp_path, authority, listener.getsockname())
    made.put(first)
    certificate = ServerCertificate(str(made.chain), str(made.key))
    config = uvicorn.Config(
        scheme_of,
        http=bounded(ConnectionLimits(100, SECONDS)),
        ws="none",
        loop=f"{__name__}:HastyLoop",
        lifespan="off",
        log_config=None,
        timeout_graceful_shutdown=1,
        ssl_context_factory=lambda *_: certificate.context,
    )
    with serving(config, listener):
        yield made


def test_a_new_certificate_is_served_and_open_connections_go_on(
    served: Served, second: Certificate
) -> None:
    with served.connect() as opened:
        assert ask(opened) == b"https"
        assert subject(opened) == "first"

        served.put(second)

        assert served.shown() == served.shown(name="localhost") == "second"
        assert ask(opened) == b"https"


def test_a_file_that_was_replaced_by_another_one_is_seen(
    served: Served, second: Certificate, tmp_path: Path
) -> None:
    served.put_key(second)
    shutil.copyfile(second.chain, tmp_path / "new")
    (tmp_path / "new").rename(served.chain)

    assert served.shown() == "second"


def test_half_a_pair_leaves_the_old_one_until_it_is_whole(
    served: Served, second: Certificate, caplog: pytest.LogCaptureFixture
) -> None:
    served.put_chain(second)
    with caplog.at_level(logging.WARNING):
        assert [served.shown() for _ in range(3)] == ["first"] * 3
        served.chain.unlink()
        assert served.shown() == "first"

    pair, missing = (record.getMessage() for record in caplog.records)
    assert "TLS_CERTIFICATE_FILE, TLS_KEY_FILE: they hold no certificate and its key" in pair
    assert f"{served.chain} cannot be read: No such file or directory" in missing

    served.put(second)
    assert served.shown() == "second"


def test_what_speaks_no_tls_or_an_old_one_gets_no_answer(served: Served) -> None:
    with socket.create_connection(served.address, SECONDS) as plain:
        plain.sendall(ASK)
        assert b"HTTP" not in plain.recv(1000)
    old = served.authority.trust()
    with warnings.catch_warnings(action="ignore"):  # Python calls this version deprecated
        old.minimum_version = old.maximum_version = ssl.TLSVersion.TLSv1_1
    with socket.create_connection(served.address, SECONDS) as plain, pytest.raises(ssl.SSLError):
        old.wrap_socket(plain, server_hostname="127.0.0.1")
    with served.connect() as good:
        assert ask(good) == b"https"


def test_a_client_that_begins_no_handshake_is_disconnected_and_an_idle_one_is_not(
    served: Served,
) -> None:
    with served.connect() as idle, socket.create_connection(served.address, SECONDS) as silent:
        assert silent.recv(1000) == b""
        assert ask(idle) == b"https"


def test_a_refused_head_is_answered(served: Served) -> None:
    with served.connect() as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nX: " + bytes(MAX_HEAD + 1).replace(b"\0", b"x"))
        assert connection.recv(12) == b"HTTP/1.1 431"


def test_a_client_that_ends_its_side_is_disconnected_without_a_word_in_the_log(
    served: Served, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING), served.connect() as connection:
        assert ask(connection) == b"https"
        connection.unwrap().close()
    assert served.shown() == "first"
    assert not caplog.records


def test_a_pair_in_one_file_will_do(first: Certificate) -> None:
    assert ServerCertificate(str(first.both)).context


def test_a_pair_that_is_no_good_is_refused_at_once(
    first: Certificate, second: Certificate, tmp_path: Path
) -> None:
    with pytest.raises(errors.Invalid, match="TLS_KEY_FILE: they hold no certificate"):
        ServerCertificate(str(first.chain), str(second.key))
    with pytest.raises(errors.Invalid, match="nowhere cannot be read: No such file"):
        ServerCertificate(str(first.chain), str(tmp_path / "nowhere"))
