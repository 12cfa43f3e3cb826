"""What a proxy says, believed or not, and paths below a prefix."""

import asyncio
from typing import Any

import httpx2
import pytest

from app.producer.app import create_app
from app.producer.middleware.forwarded import Forwarded
from app.settings import Settings
from app.settings.checks import networks

PROXY, CLIENT, STRANGER = "10.0.0.1", "192.0.2.7", "198.51.100.9"
TRUSTED = "10.0.0.0/8, ::1"


def seen(
    headers: dict[str, str] | list[tuple[str, str]],
    peer: str | None = PROXY,
    path: str = "/jobs",
    root_path: str = "",
    trusted: str = TRUSTED,
) -> dict[str, Any]:
    """Return the scope that the application gets."""
    found: dict[str, Any] = {}

    async def app(scope: Any, receive: Any, send: Any) -> None:
        found.update(scope)

    pairs = headers.items() if isinstance(headers, dict) else headers
    scope = {
        "type": "http",
        "scheme": "http",
        "client": peer and (peer, 4711),
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "headers": [
            (b"host", b"inside:5000"),
            *((name.lower().encode(), value.encode("latin-1")) for name, value in pairs),
        ],
    }
    middleware = Forwarded(app, networks(trusted), root_path)
    asyncio.run(middleware(scope, None, None))  # type: ignore[arg-type]
    return found


SAID = {
    "X-Forwarded-For": CLIENT,
    "X-Forwarded-Proto": "https",
    "X-Forwarded-Host": "api.example.com",
    "X-Forwarded-Prefix": "/warren",
}


@pytest.mark.parametrize(
    ("peer", "trusted"),
    [(PROXY, TRUSTED), ("::1", TRUSTED), (f"::ffff:{PROXY}", TRUSTED), (STRANGER, "*")],
)
def test_a_trusted_proxy_is_believed(peer: str, trusted: str) -> None:
    scope = seen(SAID, peer, trusted=trusted)
    assert scope["client"] == (CLIENT, 0)
    assert scope["scheme"] == "https"
    assert dict(scope["headers"])[b"host"] == b"api.example.com"
    assert (scope["root_path"], scope["path"], scope["raw_path"]) == (
        *("/warren", "/warren/jobs"),
        b"/warren/jobs",
    )


@pytest.mark.parametrize(("peer", "trusted"), [(STRANGER, TRUSTED), (None, TRUSTED), (PROXY, "")])
def test_nobody_else_is(peer: str | None, trusted: str) -> None:
    told, untold = (seen(said, peer, trusted=trusted) for said in (SAID, {}))
    assert told.pop("headers")[0] == untold.pop("headers")[0]
    assert told == untold


@pytest.mark.parametrize(
    ("said", "client"),
    [
        (f"{STRANGER}, {CLIENT}", CLIENT),  # the client wrote the first one itself
        (f"{STRANGER}, {CLIENT}, 10.9.9.9, ::1", CLIENT),
        ("10.9.9.9, 10.8.8.8", "10.9.9.9"),
        (f"unknown, {CLIENT}", CLIENT),
        ("unknown, 10.9.9.9", "10.9.9.9"),
        ("2001:db8::7", "2001:db8::7"),
        *((odd, PROXY) for odd in ("unknown", "", ",", "1.2.3", "x\xff", "300.1.1.1", "a:b")),
    ],
)
def test_the_client_is_the_last_address_that_is_no_proxy(said: str, client: str) -> None:
    assert seen({"X-Forwarded-For": said})["client"][0] == client


@pytest.mark.parametrize("said", [f"{CLIENT}:4000", "[2001:db8::7]:4000"])
def test_the_client_may_have_a_port(said: str) -> None:
    assert seen({"X-Forwarded-For": said})["client"] == (
        "2001:db8::7" if "[" in said else CLIENT,
        4000,
    )


def test_a_header_field_that_is_repeated_is_one_list() -> None:
    said = [("X-Forwarded-For", CLIENT), ("X-Forwarded-For", "10.9.9.9")]
    assert seen(said)["client"] == (CLIENT, 0)
    assert seen([("X-Forwarded-Prefix", "/a"), ("X-Forwarded-Prefix", "/b")])["root_path"] == "/b"
    assert seen({"X-Forwarded-Proto": "https, http"})["scheme"] == "http"


@pytest.mark.parametrize(
    "prefix",
    [
        *("//evil.example", "/a//evil.example", "https://evil.example", "evil.example", "\\evil"),
        *("/..", "/a/../b", "/.", "/a/.", "/a?b", "/a#b", "/a%2f", "/a b", "/a\r\nSet-Cookie: a=b"),
        *('/"><script>', "/\xfc", "/\x7f", "", "/", " "),
    ],
)
def test_a_prefix_that_is_none_is_ignored(prefix: str) -> None:
    scope = seen({"X-Forwarded-Prefix": prefix}, root_path="/own")
    assert (scope["root_path"], scope["path"]) == ("/own", "/own/jobs")


@pytest.mark.parametrize("scheme", ["gopher", "javascript", "https:", "", "h\xff"])
def test_a_scheme_that_is_none_is_ignored(scheme: str) -> None:
    assert seen({"X-Forwarded-Proto": scheme})["scheme"] == "http"


@pytest.mark.parametrize(
    "host", ["evil.example/a", "a@evil.example", "a b", "", "[::1", "a:x", "a\r\nb: c", "\xff"]
)
def test_a_host_that_is_none_is_ignored(host: str) -> None:
    assert dict(seen({"X-Forwarded-Host": host})["headers"])[b"host"] == b"inside:5000"


@pytest.mark.parametrize("host", ["a", "a.example:8443", "[2001:db8::7]:443", "192.0.2.1"])
def test_a_host_may_have_a_port(host: str) -> None:
    assert dict(seen({"X-Forwarded-Host": host})["headers"])[b"host"] == host.encode()


@pytest.mark.parametrize(
    ("path", "whole"),
    [
        ("/jobs", "/a/b/jobs"),  # the proxy removed the prefix
        ("/a/b/jobs", "/a/b/jobs"),  # it left it
        ("/a/b", "/a/b"),
        ("/a/bc", "/a/b/a/bc"),
        ("/", "/a/b/"),
        ("*", "*"),  # OPTIONS for the whole server
    ],
)
@pytest.mark.parametrize("root_path", ["/a/b", "/a/b/"])
def test_the_path_begins_with_the_prefix(path: str, whole: str, root_path: str) -> None:
    scope = seen({}, STRANGER, path, root_path)
    assert (scope["root_path"], scope["path"], scope["raw_path"]) == ("/a/b", whole, whole.encode())


def asked(settings: Settings, path: str, headers: dict[str, str]) -> httpx2.Response:
    """Return what the application answers to a GET."""

    async def ask() -> httpx2.Response:
        transport = httpx2.ASGITransport(create_app(settings))
        async with httpx2.AsyncClient(transport=transport, base_url="http://localhost") as client:
            return await client.get(path, headers=headers)

    return asyncio.run(ask())


@pytest.mark.parametrize("path", ["/a/b", "/a/b/", "/", "/a/b/health", "/health", "/a/b/health/"])
def test_the_prefix_alone_is_the_root(path: str) -> None:
    answer = asked(Settings(_env_file=None, root_path="/a/b"), path, {})
    assert answer.json() in ({"status": "ok"}, {"Status": "OK"})


@pytest.mark.parametrize(
    "path", ["/docs", "/redoc", "/openapi.json", "/static/redoc.standalone.js"]
)
@pytest.mark.parametrize("kept", [False, True])
@pytest.mark.parametrize("said", [False, True])
def test_the_pages_and_their_files_are_below_the_prefix(path: str, kept: bool, said: bool) -> None:
    prefix = "/tools/warren"
    settings = Settings(_env_file=None, root_path="" if said else prefix)
    headers = {"X-Forwarded-Prefix": prefix} if said else {}

    answer = asked(settings, prefix * kept + path, headers)

    assert answer.status_code == 200
    if path.endswith("json"):
        assert answer.json()["servers"] == [{"url": prefix}]
    elif not path.startswith("/static"):
        assert f"{prefix}/openapi.json" in answer.text
        assert f"{prefix}/static/favicon.png" in answer.text
        for outside in ("'/static", '"/static', "'/openapi", '"/openapi'):
            assert outside not in answer.text
