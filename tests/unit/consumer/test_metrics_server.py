"""The server of a consumer's metrics, asked over sockets."""

import logging
import socket
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from types import SimpleNamespace

import httpx2
import pytest

from app.auth.identity import Identity, Scope
from app.consumer.metrics_server import REQUESTS, MetricsServer, start_metrics_server
from app.observability.metrics import catalogue
from app.observability.metrics.exposition import Exposition
from app.observability.metrics.families import CONSUMER, Gauge
from app.settings import Settings
from devstack.ports import unused

GAUGES = {
    each: lambda each=each: {tuple("x" for _ in each.labels): 1.0}
    for each in catalogue.FAMILIES
    if isinstance(each, Gauge) and CONSUMER in each.of
}
KEYS = {
    b"good": Identity("a", frozenset((Scope.METRICS,))),
    b"admin": Identity("a", frozenset((Scope.ADMIN,))),
    b"other": Identity("a", frozenset((Scope.PREDICT,))),
}


def settings(**changes) -> Settings:
    (port,) = unused(1)
    return Settings(_env_file=None, **{"metrics_port": port, **changes})


@contextmanager
def served(healthy=(True,), keys=None, names=(), **options) -> Iterator[httpx2.Client]:
    """A client of a server; `keys` are identities by their keys, in place of a key ring."""
    ring = keys and SimpleNamespace(identify=keys.get)
    exposition = Exposition(CONSUMER, GAUGES)
    address = ("127.0.0.1", 0)
    server = MetricsServer(address, exposition, lambda: all(healthy), ring, names, **options)
    server.start()
    url = f"http://127.0.0.1:{server.server_address[1]}"
    with closing(server.socket), httpx2.Client(base_url=url, trust_env=False) as client:
        yield client
        server.shutdown()


def test_the_metrics_of_a_consumer_are_served():
    with served() as client:
        answer = client.get("/metrics")
        head = client.head("/metrics")

    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert "warren_models_loaded 1.0" in answer.text
    assert "warren_http_request" not in answer.text
    assert answer.headers["server"] == "warren"
    assert (head.status_code, head.content) == (200, b"")


def test_health_tells_whether_the_connections_are_served():
    healthy = [True]
    with served(healthy) as client:
        assert (client.get("/healthz").status_code, client.get("/healthz").text) == (200, "ok\n")
        healthy[0] = False
        assert client.get("/healthz").status_code == 503


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/", 404), ("GET", "/jobs?a=/metrics", 404), ("POST", "/metrics", 501)],
)
def test_nothing_else_is_served(method, path, status):
    with served() as client:
        answer = client.request(method, path)

    assert answer.status_code == status
    assert answer.headers["content-type"].startswith("text/plain")


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 401),
        ({"Authorization": "Bearer wrong"}, 401),
        ({"Authorization": "Bearer é".encode("latin-1")}, 401),
        ({"Authorization": "Bearer other"}, 403),
        ({"Authorization": "Bearer good"}, 200),
        ({"Authorization": "Basic abc", "X-API-Key": "admin"}, 200),
    ],
    ids=["none", "wrong", "no ASCII", "scope", "bearer", "header"],
)
def test_with_keys_a_scrape_needs_one(headers, status):
    with served(keys=KEYS) as client:
        answer = client.get("/metrics", headers=headers)
        assert client.get("/healthz").status_code == 200

    assert answer.status_code == status
    assert ("www-authenticate" in answer.headers) is (status == 401)


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1:9101", 200),
        ("[::1]:9101", 200),
        ("localhost", 200),
        ("consumer.example:9101", 200),
        ("a.below.example", 200),
        ("rebound.example:9101", 421),
        ("127.0.0.1.rebound.example", 421),
        ("[", 421),
    ],
)
def test_a_page_that_has_bound_its_name_to_this_address_reads_nothing(host, status):
    with served(names=("consumer.example", "*.below.example")) as client:
        assert client.get("/metrics", headers={"Host": host}).status_code == status
        assert client.get("/healthz", headers={"Host": host}).status_code == 200


def test_a_port_that_is_taken_costs_a_warning_only(caplog):
    chosen = settings()
    with socket.create_server(("127.0.0.1", chosen.metrics_port)), caplog.at_level(logging.WARNING):
        assert start_metrics_server(chosen, None, GAUGES, lambda: True) is None
    assert f"127.0.0.1:{chosen.metrics_port} cannot be had" in caplog.text


def test_without_a_port_nothing_listens():
    assert start_metrics_server(settings(metrics_port=0), None, GAUGES, lambda: True) is None


def test_clients_that_send_nothing_do_not_keep_others_waiting():
    with served() as client:
        address = (client.base_url.host, client.base_url.port)
        silent = [socket.create_connection(address) for _ in range(REQUESTS + 1)]
        assert silent[-1].recv(1) == b""  # there was no room for it
        silent.pop(0).close()

        def answered() -> bool:
            with suppress(httpx2.TransportError):
                return client.get("/healthz").status_code == 200
            return False

        assert any(answered() for _ in range(1000))
        for each in silent:
            each.close()


def test_a_client_that_sends_byte_by_byte_is_not_waited_for():
    def is_open(connection: socket.socket) -> bool:
        with suppress(TimeoutError):
            connection.sendall(b"G")
            return connection.recv(1) != b""
        return True

    with served(seconds=0.1) as client:
        address = (client.base_url.host, client.base_url.port)
        with socket.create_connection(address, timeout=0.01) as slow, suppress(ConnectionError):
            assert not all(is_open(slow) for _ in range(1000))


@pytest.mark.parametrize(
    ("changes", "needed"),
    [
        ({}, False),
        ({"metrics_host": "0.0.0.0"}, True),
        ({"metrics_host": "0.0.0.0", "auth": "off"}, False),
        ({"auth": "on"}, True),
        ({"host": "0.0.0.0"}, False),
    ],
    ids=["loopback", "open", "off", "on", "only the producer"],
)
def test_keys_are_needed_on_addresses_that_others_reach(changes, needed):
    assert Settings(_env_file=None, **changes).authenticates_scrapes is needed
