"""What is said of a broker, and of its management API, whose certificate is no good."""

import asyncio
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from app import errors
from app.amqp.async_connection import _open, open_connection
from app.amqp.connection import connect, connection_parameters
from app.amqp.management import ManagementApi
from app.amqp.rpc_connection import open_rpc_connection
from app.amqp.tls import reason
from app.settings import Settings
from devstack.authority import Authority, Certificate
from tests.support.tls_listener import tls_listener

Client = Callable[[Settings], object]


def blocking(settings: Settings) -> object:
    return connect(connection_parameters(settings, "blocking"))


def rpc(settings: Settings) -> object:
    ignored: Any = lambda *_: None  # noqa: E731
    parameters = connection_parameters(settings, "rpc")
    return asyncio.run(open_rpc_connection(parameters, ignored, ignored, ignored))


def of_aiormq(settings: Settings) -> object:
    return asyncio.run(_open(settings, "aiormq"))


def management(settings: Settings) -> object:
    return ManagementApi(settings).call("GET", "overview")


CLIENTS = pytest.mark.parametrize("client", [blocking, rpc, of_aiormq, management])


def refusal(client: Client, port: int, **settings: str) -> str:
    """Return what is said when a client cannot connect."""
    named = Settings(
        _env_file=None,
        rabbitmq_tls="on",
        rabbitmq_port=port,
        rabbitmq_management_port=port,
        **settings,
    )
    with pytest.raises(Exception) as refused:  # noqa: PT011  the clients have errors of their own
        client(named)
    return reason(refused.value)


@CLIENTS
@pytest.mark.parametrize("fault", ["authority", "expired", "host", "plain"])
def test_a_wrong_certificate_is_refused_and_the_message_names_the_setting(
    client: Client, fault: str, authority: Authority, tmp_path: Path
) -> None:
    certificate: Certificate | None = authority.server("rabbitmq")
    trusted = authority
    match fault:
        case "authority":
            trusted, said = Authority(tmp_path), "of an unknown authority: look at RABBITMQ_CA_FILE"
        case "expired":
            certificate = authority.server("expired", days=-1)
            said = "its certificate has expired"
        case "host":
            certificate = authority.server("elsewhere", ["elsewhere.example"])
            said = "for another host: look at RABBITMQ_HOST"
        case "plain":
            certificate, said = None, "it does not speak TLS there: look at RABBITMQ_HOST"

    with tls_listener(certificate) as port:
        assert said in refusal(client, port, rabbitmq_ca_file=str(trusted.file))


@CLIENTS
@pytest.mark.parametrize(
    ("setting", "content", "said"),
    [
        ("rabbitmq_ca_file", None, "No such file or directory"),
        ("rabbitmq_ca_file", "junk", "it holds no certificate, in PEM"),
        ("rabbitmq_certificate_file", None, "No such file or directory"),
        ("rabbitmq_certificate_file", "junk", "it holds no certificate with its key"),
    ],
)
def test_a_file_that_is_no_good_is_named_with_its_setting(
    client: Client, setting: str, content: str | None, said: str, tmp_path: Path
) -> None:
    path = tmp_path / "file"
    if content:
        path.write_text(content)

    refused = refusal(client, 1, **{setting: str(path), "rabbitmq_user": "me"})

    assert f"{setting.upper()}: {path} cannot be used: {said}" in refused


def test_a_key_with_a_passphrase_is_refused_and_nobody_is_asked_for_it(
    authority: Authority, tmp_path: Path
) -> None:
    made, locked = authority.client("me"), tmp_path / "locked"
    command = ["openssl", "pkcs8", "-topk8", "-in", made.key, "-out", locked, "-passout", "pass:x"]
    subprocess.run(command, check=True)

    refused = refusal(
        *(blocking, 1),
        rabbitmq_certificate_file=str(made.chain),
        rabbitmq_key_file=str(locked),
        rabbitmq_user="me",
    )

    assert "it holds no certificate with its key, which has no passphrase" in refused


def test_the_consumer_says_so_too(authority: Authority, tmp_path: Path) -> None:
    trusted = str(Authority(tmp_path).file)
    with tls_listener(authority.server("rabbitmq")) as port:
        named = Settings(
            _env_file=None, rabbitmq_tls="on", rabbitmq_port=port, rabbitmq_ca_file=trusted
        )
        with pytest.raises(errors.BrokerUnavailable, match="look at RABBITMQ_CA_FILE"):
            asyncio.run(open_connection(named, "consumer"))
