"""Requests by a name that is not this server's, such as one that was bound to its address anew."""

import asyncio
from typing import Any

import httpx2
import pytest

from app.producer.app import create_app
from app.producer.middleware.allowed_hosts import AllowedHosts
from app.producer.middleware.forwarded import Forwarded
from app.settings import Settings
from app.settings.checks import networks

LOOPBACK = [
    *("localhost", "LOCALHOST:5000", "localhost.", "warren.localhost:80", "127.0.0.1:5000"),
    *("127.1.2.3", "[::1]", "[::1]:5000", "[::ffff:127.0.0.1]"),
]
FOREIGN = [
    *("evil.example", "evil.example:5000", "localhost.evil.example", "127.0.0.1.evil.example"),
    *("notlocalhost", "192.0.2.7", "[2001:db8::1]:5000", "2130706433", "127.1"),
]
NO_HOST = ["", "a b", "a/b", "user@localhost", "localhost:port", "localhost:123456", "::1", "\xff"]


def answer(
    *hosts: str,
    path: str = "/jobs",
    bound: str = "127.0.0.1",
    names: tuple[str, ...] = (),
    version: str = "1.1",
    forwarded: str = "",
) -> int:
    """Return the status that the middleware answers with, or that of the application, 200."""
    statuses: list[int] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        statuses.append(200)

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start":
            statuses.append(message["status"])

    scope = {
        "type": "http",
        "method": "POST",
        "http_version": version,
        "scheme": "http",
        "client": ("127.0.0.1", 4711),
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": [(b"host", host.encode("latin-1")) for host in hosts],
    }
    if forwarded:
        scope["headers"].append((b"x-forwarded-host", forwarded.encode()))
    chain = Forwarded(AllowedHosts(app, bound, names), networks("127.0.0.1"), "")
    asyncio.run(chain(scope, None, send))  # type: ignore[arg-type]
    (status,) = statuses
    return status


@pytest.mark.parametrize("host", LOOPBACK)
def test_a_loopback_name_is_allowed_whatever_is_bound(host: str) -> None:
    assert answer(host) == answer(host, bound="192.0.2.1") == answer(host, bound="::") == 200


@pytest.mark.parametrize("host", FOREIGN)
def test_another_name_is_refused(host: str) -> None:
    assert answer(host) == 421


@pytest.mark.parametrize("host", NO_HOST)
@pytest.mark.parametrize("path", ["/jobs", "/health"])
def test_a_host_that_is_none_is_a_bad_request_even_if_all_are_allowed(host: str, path: str) -> None:
    assert answer(host, path=path, names=("*",)) == 400


@pytest.mark.parametrize("hosts", [(), ("localhost", "localhost"), ("localhost", "evil.example")])
@pytest.mark.parametrize("forwarded", ["", "localhost"])
def test_a_request_has_one_host(hosts: tuple[str, ...], forwarded: str) -> None:
    assert answer(*hosts, forwarded=forwarded) == (200 if not hosts and forwarded else 400)


def test_http_1_0_has_no_host_or_one() -> None:
    assert answer(version="1.0") == 200
    assert answer("evil.example", version="1.0") == 421
    assert answer("localhost", "localhost", version="1.0") == 400


@pytest.mark.parametrize(
    ("bound", "host", "status"),
    [
        ("192.0.2.7", "192.0.2.7:80", 200),
        ("192.0.2.7", "192.0.2.8", 421),
        ("warren.lan", "Warren.LAN:5000", 200),
        ("0.0.0.0", "192.0.2.8", 200),
        ("::", "[2001:db8::1]", 200),
        ("0.0.0.0", "evil.example", 421),
    ],
)
def test_the_bound_address_is_allowed(bound: str, host: str, status: int) -> None:
    assert answer(host, bound=bound) == status


@pytest.mark.parametrize(
    ("name", "host", "status"),
    [
        ("a.example", "a.example", 200),
        ("a.example", "A.Example.:8080", 200),
        ("a.example", "b.a.example", 421),
        ("*.a.example", "c.b.a.example", 200),
        ("*.a.example", "a.example", 421),
        ("*.a.example", "ba.example", 421),
        ("192.0.2.7", "192.0.2.7", 200),
        ("2001:db8:0:0::1", "[2001:db8::1]:80", 200),
        ("*", "anything", 200),
    ],
)
def test_further_names_are_those_of_the_setting(name: str, host: str, status: int) -> None:
    assert answer(host, names=("other.example", name)) == status


@pytest.mark.parametrize("path", ["/health", "/ping"])
def test_load_balancers_ask_by_any_name(path: str) -> None:
    assert answer("10.0.0.7:5000", path=path) == answer("evil.example", path=path) == 200
    assert answer("evil.example", path=f"{path}/all") == 421


@pytest.mark.parametrize(
    ("host", "forwarded", "status"),
    [
        ("api.example", "api.example", 200),
        ("127.0.0.1:5000", "api.example", 200),
        ("127.0.0.1:5000", "evil.example", 421),
        ("evil.example", "localhost", 421),  # a page of a rebound name may write the second
        ("warren", "api.example", 421),
    ],
)
def test_both_the_host_of_a_proxy_and_the_one_it_forwards_are_checked(
    host: str, forwarded: str, status: int
) -> None:
    assert answer(host, names=("api.example",), forwarded=forwarded) == status


@pytest.mark.parametrize("kind", ["lifespan", "websocket"])
def test_only_requests_are_checked(kind: str) -> None:
    seen: list[str] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append(scope["type"])

    asyncio.run(AllowedHosts(app, "", ())({"type": kind}, None, None))  # type: ignore[arg-type]
    assert seen == [kind]


@pytest.mark.parametrize(
    ("method", "path"), [("POST", "/train"), ("POST", "/predict"), ("DELETE", "/jobs/a")]
)
def test_a_rebound_name_reaches_no_route_of_the_application(method: str, path: str) -> None:
    async def ask() -> httpx2.Response:
        transport = httpx2.ASGITransport(create_app(Settings(_env_file=None)))
        origin = "http://evil.example:5000"
        async with httpx2.AsyncClient(transport=transport, base_url=origin) as client:
            headers = {"Origin": origin, "Sec-Fetch-Site": "same-origin"}
            return await client.request(method, path, headers=headers)

    found = asyncio.run(ask())
    assert (found.status_code, found.json()["type"]) == (421, "misdirected")
    assert found.json()["detail"] == (
        'Host: "evil.example" is no name of this server; ask it by another one, or add this one to '
        "its setting ALLOWED_HOSTS"
    )
