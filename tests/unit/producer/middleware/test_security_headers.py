"""What browsers are told with a response."""

import asyncio
from types import SimpleNamespace
from typing import Any

import httpx2
import pytest
from starlette.middleware import Middleware

from app.producer.admission import AdmissionControl
from app.producer.answers.security_fields import page_fields
from app.producer.app import create_app
from app.producer.middleware.error_responses import ErrorResponses
from app.producer.middleware.security_headers import SecurityHeaders
from app.settings import Settings
from tests.unit.producer.middleware.test_error_responses import application

OF_DATA = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
}


def asked(app: Any, method: str = "GET", path: str = "/", **headers: str) -> httpx2.Response:
    async def ask() -> httpx2.Response:
        transport = httpx2.ASGITransport(app, raise_app_exceptions=False)
        async with httpx2.AsyncClient(transport=transport, base_url="http://localhost") as client:
            return await client.request(method, path, headers=headers)

    return asyncio.run(ask())


def told(answer: httpx2.Response) -> dict[str, str]:
    """Return the fields that the middleware adds; a field that is there twice is a list."""
    return {name: value for name, value in answer.headers.items() if name in OF_DATA}


@pytest.mark.parametrize(
    ("method", "path", "headers", "status"),
    [
        ("GET", "/health", {}, 200),
        ("HEAD", "/health", {}, 200),
        ("OPTIONS", "/predict", {}, 204),
        ("GET", "/openapi.json", {}, 200),
        ("GET", "/static/swagger-ui.css", {}, 200),
        ("GET", "/static/nothing.js", {}, 404),
        ("GET", "/predict", {}, 405),
        ("GET", "/nowhere", {}, 404),
        ("GET", "/jobs", {"Host": "evil.example"}, 421),
        ("POST", "/train", {"Origin": "http://evil.example"}, 403),
        ("OPTIONS", "/jobs", {"Origin": "https://a.example"}, 200),
        ("POST", "/predict", {"Content-Encoding": "br"}, 415),
    ],
)
def test_every_response_of_the_application_tells_it(
    method: str, path: str, headers: dict[str, str], status: int
) -> None:
    app = create_app(Settings(_env_file=None, cors_origins="https://a.example"))
    if "Origin" in headers:
        headers = headers | {"Access-Control-Request-Method": "GET"}

    answer = asked(app, method, path, **headers)

    assert (answer.status_code, told(answer)) == (status, OF_DATA)
    assert "strict-transport-security" not in answer.headers


@pytest.mark.parametrize(
    ("method", "path", "caching"),
    [
        ("GET", "/health", "no-cache"),
        ("HEAD", "/health", "no-cache"),
        ("GET", "/nowhere", "no-cache"),
        ("GET", "/docs", "no-cache"),
        ("GET", "/static/favicon.png", "no-cache"),
        ("GET", "/login", "no-store"),
        ("POST", "/predict", None),
    ],
)
def test_no_cache_answers_by_itself(method: str, path: str, caching: str | None) -> None:
    app = create_app(Settings(_env_file=None))
    app.state.services = SimpleNamespace(keys=None, in_flight=AdmissionControl(1, 10**6))

    assert asked(app, method, path).headers.get("cache-control") == caching


def test_a_file_that_the_client_has_tells_it_too() -> None:
    app = create_app(Settings(_env_file=None))
    tag = asked(app, path="/static/favicon.png").headers["etag"]

    answer = asked(app, path="/static/favicon.png", **{"If-None-Match": tag})

    assert (answer.status_code, told(answer)) == (304, OF_DATA)


def test_the_500_of_a_bug_tells_it() -> None:
    app = application(KeyError("hunter2"))
    app.user_middleware.insert(0, Middleware(SecurityHeaders))
    assert app.user_middleware[1].cls is ErrorResponses

    answer = asked(app, "POST", "/predict")

    assert (answer.status_code, told(answer)) == (500, OF_DATA)


@pytest.mark.parametrize("path", ["/docs", "/redoc"])
def test_a_page_has_a_policy_of_its_own_and_no_other(path: str) -> None:
    answer = asked(create_app(Settings(_env_file=None)), path=path)

    policy = answer.headers.get_list("content-security-policy")
    assert policy == [page_fields(answer.text)["Content-Security-Policy"]]
    assert told(answer) | {"content-security-policy": ""} == OF_DATA | {
        "content-security-policy": ""
    }
    assert answer.headers["cross-origin-opener-policy"] == "same-origin"


def test_of_the_inline_scripts_those_of_the_page_run() -> None:
    policy = page_fields("<script src='a.js'></script><script>alert(1)</script>")
    (scripts,) = [
        rule for rule in policy["Content-Security-Policy"].split("; ") if "script-src" in rule
    ]
    # as `printf 'alert(1)' | openssl dgst -sha256 -binary | base64` has it
    assert scripts == "script-src 'self' 'sha256-bhHHL3z2vDgxUt0W3dWQOrprscmda2Y5pLsLg4GF+pI='"


@pytest.mark.parametrize(
    ("scheme", "host", "there"),
    [
        ("https", "warren.example:5000", True),
        ("http", "warren.example:5000", False),
        ("https", "localhost:5000", False),
        ("https", "[::1]:5000", False),
    ],
)
def test_an_encrypted_connection_is_to_stay_encrypted_but_to_this_machine(
    scheme: str, host: str, there: bool
) -> None:
    app = create_app(Settings(_env_file=None))

    answer = asked(app, path="/health", **{"X-Forwarded-Proto": scheme, "Host": host})

    assert ("strict-transport-security" in answer.headers) is there


@pytest.mark.parametrize("kind", ["lifespan", "websocket"])
def test_only_responses_to_requests_are_changed(kind: str) -> None:
    seen: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append(send)

    async def send(message: Any) -> None: ...

    asyncio.run(SecurityHeaders(app)({"type": kind}, send, send))  # type: ignore[arg-type]
    assert seen == [send]
