"""A Warren of which every connection is encrypted, and which logs in by certificates."""

import shutil
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import httpx2
import pika
import pytest
from pika.exceptions import AMQPError, ChannelClosedByBroker

from app.amqp.connection import connect, connection_parameters
from app.amqp.topology import TRAIN_QUEUE
from app.settings import Settings
from devstack.authority import Authority, Certificate
from devstack.demo import ROW
from devstack.rabbitmq import Broker
from devstack.s3 import S3Server
from devstack.stack import migrate
from tests.support.postgres import Postgres
from tests.support.postgres_tls import postgres_tls
from tests.system.support.client import PREDICTION, predict, reached, trained, upload
from tests.system.support.processes import CONSUMER, Stack, consumes, counts, until


@pytest.fixture(scope="module")
def node(authority: Authority, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    with Broker.on_free_ports(tmp_path_factory.mktemp("encrypted-rabbitmq"), authority) as made:
        yield made


@pytest.fixture(scope="module")
def store(authority: Authority, tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    folder = tmp_path_factory.mktemp("encrypted-s3") / "data"
    with S3Server.on_free_port(folder, authority.server("s3")) as made:
        yield made


@pytest.fixture(scope="module")
def database(authority: Authority, postgres: Postgres) -> Iterator[str]:
    """The URL of a database that takes only encrypted connections."""
    url = urlsplit(postgres.new_database())
    server = Path(parse_qs(url.query)["host"][0], ".s.PGSQL.5432")
    with postgres_tls(server, authority.server("postgres")) as port:
        trusted = f"sslmode=verify-full&sslrootcert={authority.file}"
        yield f"{url.scheme}://warren@127.0.0.1:{port}{url.path}?{trusted}"


@pytest.fixture(scope="module")
def encrypted(
    authority: Authority,
    node: Broker,
    store: S3Server,
    database: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Stack]:
    environment = {
        **node.node.settings(),
        **node.node.logins(),
        **store.s3.settings(),
        "DATABASE_URL": database,
        "TLS_CERTIFICATE_FILE": str(authority.server("producer").both),
    }
    migrate(environment)
    with Stack(environment, tmp_path_factory.mktemp("encrypted-stack")) as made:
        yield made


@pytest.fixture(scope="module")
def http(encrypted: Stack) -> httpx2.Client:
    _, _, client = encrypted.pair()
    upload(client)
    return client


def test_a_model_is_trained_and_predicts_in_every_way(http: httpx2.Client) -> None:
    model_id = trained(http)

    assert predict(http, model_id)["prediction"] == pytest.approx(PREDICTION, abs=0.00005)
    rows = {"/predict/async": {"input_data": ROW}, "/predict/batch": {"dataset_id": "diabetes"}}
    for path, asked in rows.items():
        answer = http.post(path, json={"model_id": model_id, **asked})
        assert answer.status_code == 202, answer.text
        reached(http, answer.json()["message"]["job_id"], "TASK_COMPLETED")
    assert http.get("/health/all").status_code == 200


def test_all_connections_to_the_broker_are_encrypted_and_log_in_by_certificate(
    http: httpx2.Client, node: Broker
) -> None:
    users = {"warren-producer", "warren-consumer"}

    def listed() -> list[dict[str, object]]:
        # The management plugin lists a connection some seconds after it is open.
        found = node.api("GET", "connections")
        named = {each.get("user") for each in found}
        return found if None not in named and named >= users else []

    connections = until(listed, "the broker lists both programs' connections") or []

    assert {each["user"] for each in connections} == users
    assert {each["auth_mechanism"] for each in connections} == {"EXTERNAL"}
    assert {each["ssl"] for each in connections} == {True}


@pytest.mark.parametrize("port", ["amqp", "management", "prometheus", "s3", "producer"])
def test_a_plain_connection_gets_no_answer(
    http: httpx2.Client, node: Broker, store: S3Server, port: str
) -> None:
    ports = {"s3": store.s3.port, "producer": http.base_url.port}
    address = ("127.0.0.1", ports.get(port) or getattr(node.node, port))
    said = b"AMQP\x00\x00\x09\x01" if port == "amqp" else b"GET / HTTP/1.0\r\n\r\n"

    with socket.create_connection(address, 20) as plain:
        plain.sendall(said)
        try:
            answer = plain.recv(1000)
        except ConnectionResetError:
            answer = b""

    # Go explains itself in plain text; the others send an alert of TLS, or nothing.
    assert answer[:1] in (b"", b"\x15") or b"HTTP request to an HTTPS server" in answer


@pytest.fixture
def login(http: httpx2.Client, node: Broker) -> Callable[..., pika.BlockingConnection]:
    """Connect to the broker as the consumer's user, or try."""

    def connected(certificate: Certificate | None, password: str = "") -> pika.BlockingConnection:
        named = {
            **node.node.settings(),
            "RABBITMQ_USER": "warren-consumer",
            "RABBITMQ_PASSWORD": password,
            "RABBITMQ_CERTIFICATE_FILE": str(certificate.both) if certificate else "",
        }
        lower = {name.lower(): value for name, value in named.items()}
        return connect(connection_parameters(Settings(_env_file=None, **lower), "test"))

    return connected


def test_only_the_authoritys_certificate_of_a_user_logs_in(
    login: Callable[..., pika.BlockingConnection], authority: Authority, tmp_path: Path
) -> None:
    login(authority.client("warren-consumer")).close()
    for certificate in (
        Authority(tmp_path).client("warren-consumer"),
        authority.client("nobody"),
        authority.client("warren-consumer-of-before", days=-1),
    ):
        with pytest.raises(AMQPError):
            login(certificate)
    with pytest.raises(AMQPError):  # the user has no password
        login(None, password="guessed")


def test_a_certificate_has_its_own_users_rights_whoever_the_settings_name(
    login: Callable[..., pika.BlockingConnection], authority: Authority
) -> None:
    with login(authority.client("warren-producer")) as connection:
        channel = connection.channel()
        with pytest.raises(ChannelClosedByBroker, match="403"):  # which a consumer may
            channel.basic_consume(TRAIN_QUEUE, lambda *_: None)


def test_a_wrong_authority_is_named_and_may_be_mended_while_the_consumer_runs(
    encrypted: Stack, authority: Authority, tmp_path: Path
) -> None:
    trusted = tmp_path / "ca.pem"
    shutil.copyfile(Authority(tmp_path / "other").file, trusted)
    consumer = encrypted.start(CONSUMER, RABBITMQ_CA_FILE=str(trusted))
    consumer.says("TLS with the broker fails: its certificate is of an unknown authority")
    assert "look at RABBITMQ_CA_FILE" in consumer.output()
    assert "Traceback" not in consumer.output()

    shutil.copyfile(authority.file, trusted)

    consumes(consumer, *counts(CONSUMER))
