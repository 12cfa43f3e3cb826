"""Whom the client trusts where the API is encrypted."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from click.testing import CliRunner

from app.producer.server.server_certificate import ServerCertificate
from devstack.authority import Authority
from warren_client import Warren, WarrenError
from warren_client.image_folder import main


class Answers(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = json.dumps({"path": self.path}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def address(authority: Authority) -> Iterator[str]:
    server = HTTPServer(("127.0.0.1", 0), Answers)
    context = ServerCertificate(str(authority.server("api").both)).context
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"https://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


def test_the_authority_is_an_argument_or_in_the_environment(
    address: str, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    with (
        Warren(address, max_retries=0) as warren,
        pytest.raises(WarrenError, match="certificate verify failed"),
    ):
        warren.request("GET", "/a")
    with Warren(address, ca_file=authority.file) as warren:
        assert warren.request("GET", "/a") == {"path": "/a"}
    monkeypatch.setenv("WARREN_CA_FILE", str(authority.file))
    with Warren(address) as warren:
        assert warren.request("GET", "/b") == {"path": "/b"}


@pytest.mark.parametrize(
    ("content", "said"),
    [(None, "No such file or directory"), ("junk", "it holds no certificate, in PEM")],
)
def test_a_file_that_is_no_good_is_named(
    content: str | None, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "ca.pem"
    if content:
        path.write_text(content)
    expected = f"the authority {path} cannot be used: {said}"
    with pytest.raises(WarrenError, match=expected):
        Warren("https://127.0.0.1:1", ca_file=path)

    (tmp_path / "a.png").touch()
    monkeypatch.setenv("WARREN_CA_FILE", str(path))
    ended = CliRunner().invoke(main, [str(tmp_path), "--call", "predict", "--model", "m"])
    assert (ended.exit_code, expected in ended.output) == (1, True)
