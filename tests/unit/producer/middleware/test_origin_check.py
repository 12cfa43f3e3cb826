"""Calls of pages of other origins, as browsers send them."""

import asyncio
from typing import Any

import httpx2
import pytest

from app import errors
from app.producer.app import create_app
from app.producer.middleware.origin_check import OriginCheck
from app.settings import Settings

APP = "https://app.example.com"


def passes(
    *fields: tuple[str, str],
    method: str = "POST",
    host: str = "localhost:5000",
    origins: tuple[str, ...] = (APP,),
) -> bool:
    """Tell whether a call reaches the application."""
    reached: list[bool] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        reached.append(True)

    headers = [(b"host", host.encode()), *((n.lower().encode(), v.encode()) for n, v in fields)]
    scope = {"type": "http", "method": method, "headers": headers}
    try:
        asyncio.run(OriginCheck(app, origins)(scope, None, None))  # type: ignore[arg-type]
    except errors.ForeignOrigin:
        assert not reached
        return False
    return reached == [True]


FOREIGN = [
    *("http://evil.example", "null", "", "http://localhost:3000", "http://localhost"),
    *("http://localhost.evil.example:5000", f"{APP}.evil.example", "https://app.example.com:444"),
    *("localhost:5000", "file://"),
]


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "PROPFIND"])
@pytest.mark.parametrize("origin", FOREIGN)
def test_a_page_of_another_origin_changes_nothing(method: str, origin: str) -> None:
    assert not passes(("Origin", origin), method=method)
    for site in ("cross-site", "same-site", "same-origin"):
        assert not passes(("Origin", origin), ("Sec-Fetch-Site", site), method=method)


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS"])
def test_it_may_read_what_cors_lets_it(method: str) -> None:
    for site in ("cross-site", "same-site"):
        assert passes(("Origin", FOREIGN[0]), ("Sec-Fetch-Site", site), method=method)


@pytest.mark.parametrize("scheme", ["http", "https"])  # the proxy may not tell that it ended TLS
def test_a_page_of_its_own_may_call(scheme: str) -> None:
    own = ("Origin", f"{scheme}://LOCALHOST:5000")
    assert passes(own)
    assert passes(own, ("Sec-Fetch-Site", "same-origin"))
    assert not passes(own, ("Sec-Fetch-Site", "cross-site"))


def test_a_client_that_is_no_browser_may_call() -> None:
    assert passes()
    assert passes(("Sec-Fetch-Site", "none"))
    assert passes(("Sec-Fetch-Site", "same-origin"))


@pytest.mark.parametrize("site", ["cross-site", "same-site", "anything"])
def test_a_browser_without_an_origin_tells_by_the_site(site: str) -> None:
    assert not passes(("Sec-Fetch-Site", site))


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_the_origins_of_cors_may_call(site: str) -> None:
    assert passes(("Origin", APP), ("Sec-Fetch-Site", site))
    assert passes(("Origin", FOREIGN[0]), ("Sec-Fetch-Site", site), origins=("*",))
    assert not passes(("Origin", APP), ("Sec-Fetch-Site", site), origins=())


def test_of_two_origins_none_is_believed() -> None:
    assert not passes(("Origin", APP), ("Origin", APP))
    assert not passes(("Origin", "http://evil.example"), ("Origin", APP))


@pytest.mark.parametrize("kind", ["lifespan", "websocket"])
def test_only_requests_are_checked(kind: str) -> None:
    seen: list[str] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append(scope["type"])

    asyncio.run(OriginCheck(app, ())({"type": kind}, None, None))  # type: ignore[arg-type]
    assert seen == [kind]


FORMS = ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x")


@pytest.mark.parametrize("path", ["/predict", "/train", "/invocations", "/datasets/a", "/nowhere"])
@pytest.mark.parametrize("form", FORMS)  # those that a browser sends without asking first
def test_a_form_of_another_page_reaches_no_route(path: str, form: str) -> None:
    async def ask() -> httpx2.Response:
        transport = httpx2.ASGITransport(create_app(Settings(_env_file=None)))
        async with httpx2.AsyncClient(transport=transport, base_url="http://localhost") as client:
            headers = {"Origin": "http://evil.example", "Content-Type": form}
            return await client.post(path, content=b'{"a": "="}', headers=headers)

    found = asyncio.run(ask())
    assert (found.status_code, found.json()["type"]) == (403, "foreign_origin")
    assert found.json()["detail"].startswith(
        'Origin: pages of "http://evil.example" may not change'
    )
