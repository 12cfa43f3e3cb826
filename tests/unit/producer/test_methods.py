"""Every path of the application answers every method, and a trailing slash changes nothing.

The paths are those of the application, so a new route is among them.
"""

import asyncio
import re
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI

from app.producer.answers.oip_errors import is_of_protocol
from app.producer.schemas.invocations import ATTRIBUTES
from tests.conftest import migrate
from tests.support.application import QUERIES, application, detail_of, paths

ORIGIN = "https://app.example.com"
METHODS = ("DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PROPFIND", "PUT", "TRACE")
NOWHERE = ["/nowhere", "/predicts", "/jobs/a/b", "/static/nothing.js", "/static", "/docs/docs"]
PATHS = paths()
GETS = sorted(path for path, methods in PATHS.items() if "GET" in methods)
OTHERS = [(method, path) for path in PATHS for method in METHODS if method not in PATHS[path]]
EXPIRES = re.compile("expires=[^;]*", re.IGNORECASE)
OWN = [(method, path) for path in PATHS for method in sorted(PATHS[path])]


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FastAPI]:
    """An application with a database that has jobs and a model; other servers are away."""
    database_url = migrate(f"sqlite:///{tmp_path_factory.mktemp('tables')}/warren.db")
    with application(database_url, cors_origins=ORIGIN) as made:
        yield made


def ask(
    app: FastAPI, method: str, path: str, headers: dict[str, str] | None = None
) -> httpx2.Response:
    async def send() -> httpx2.Response:
        transport = httpx2.ASGITransport(app, raise_app_exceptions=False)
        async with httpx2.AsyncClient(transport=transport, base_url="http://localhost") as client:
            return await client.request(method, path, headers=headers)

    return asyncio.run(send())


def allowed(answer: httpx2.Response) -> list[str]:
    return answer.headers["allow"].split(", ")


@pytest.mark.parametrize("path", PATHS)
def test_options_gets_the_methods_of_the_path(app: FastAPI, path: str) -> None:
    answer = ask(app, "OPTIONS", path)

    assert (answer.status_code, answer.content) == (204, b"")
    assert allowed(answer) == sorted(PATHS[path])


@pytest.mark.parametrize(("method", "path"), OTHERS)
def test_another_method_is_refused_with_those_that_work(
    app: FastAPI, method: str, path: str
) -> None:
    answer = ask(app, method, path)

    assert answer.status_code == 405
    detail = detail_of(path, answer)
    assert allowed(answer) == sorted(PATHS[path])
    if method != "HEAD":
        assert detail == (f"{method} does not work here; use {', '.join(sorted(PATHS[path]))}")


@pytest.mark.parametrize("path", NOWHERE)
@pytest.mark.parametrize("method", METHODS)
def test_an_unknown_path_is_a_404_for_every_method(app: FastAPI, method: str, path: str) -> None:
    for each in (path, f"{path}/"):
        answer = ask(app, method, each)
        assert answer.status_code == 404
        assert "allow" not in answer.headers
        if method != "HEAD":
            assert answer.json()["type"] == "about:blank"
            assert f'there is no path "{path}"' in answer.json()["detail"]
            assert answer.json()["detail"].endswith("; /docs lists all paths")


def test_an_unknown_path_is_told_the_nearest_one(app: FastAPI) -> None:
    said = ask(app, "GET", "/predicts").json()["detail"]

    assert said == 'there is no path "/predicts"; did you mean "/predict"?; /docs lists all paths'


# One says how many milliseconds each check took, the other one counts requests.
CHANGING = ("/health/all", "/metrics")


@pytest.mark.parametrize("path", GETS)
def test_head_gets_what_get_gets_without_the_body(app: FastAPI, path: str) -> None:
    asked = path + QUERIES.get(path, "")
    got, head = ask(app, "GET", asked), ask(app, "HEAD", asked)

    assert head.status_code == got.status_code
    assert head.content == b""
    if path in CHANGING:
        del got.headers["content-length"], head.headers["content-length"]
    assert dict(head.headers) == dict(got.headers)


def test_head_ends_where_a_stream_of_events_goes_on(app: FastAPI) -> None:
    answer = ask(app, "HEAD", "/jobs/waiting/events")

    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["content-type"].startswith("text/event-stream")


def timeless(answer: httpx2.Response) -> list[tuple[str, str]]:
    """Return the header fields of an answer, without the time at which a cookie ends."""
    return [(name, EXPIRES.sub("", value)) for name, value in answer.headers.multi_items()]


@pytest.mark.parametrize(("method", "path"), OWN)
def test_a_trailing_slash_changes_nothing(app: FastAPI, method: str, path: str) -> None:
    query = QUERIES.get(path, "")
    ask(app, method, path + query)  # a PUT makes what is new here, and not with the first slash
    plain, slash, slashes = (
        ask(app, method, path.rstrip("/") + end + query)
        for end in ("" if path != "/" else "/", "/", "//")
    )

    for answer in (slash, slashes):
        assert answer.status_code == plain.status_code
        if path not in CHANGING:
            assert timeless(answer) == timeless(plain)
            assert answer.content == plain.content


def test_the_whole_server_has_every_method(app: FastAPI) -> None:
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b""}

    async def send(message: Any) -> None:
        sent.append(message)

    for method in ("OPTIONS", "GET"):
        scope = {"type": "http", "method": method, "path": "*", "query_string": b""}
        host = [(b"host", b"localhost")]
        asyncio.run(app({**scope, "headers": host, "client": None}, receive, send))

    assert [each["status"] for each in sent if "status" in each] == [204, 404]
    every = ", ".join(sorted(set.union(*PATHS.values())))
    assert (b"allow", every.encode()) in sent[0]["headers"]


@pytest.mark.parametrize(("method", "path"), [*OWN, ("GET", "/nowhere")])
def test_a_page_of_an_allowed_origin_may_call_and_read_the_answer(
    app: FastAPI, method: str, path: str
) -> None:
    asked = {
        "Origin": ORIGIN,
        "Access-Control-Request-Method": method,
        "Access-Control-Request-Headers": "idempotency-key,content-type",
    }
    first = ask(app, "OPTIONS", path, asked)

    assert first.status_code == 200
    assert first.headers["access-control-allow-origin"] == ORIGIN
    assert method in first.headers["access-control-allow-methods"]
    assert first.headers["access-control-allow-headers"] == "idempotency-key,content-type"

    second = ask(app, method, path + QUERIES.get(path, ""), {"Origin": ORIGIN})

    assert second.headers["access-control-allow-origin"] == ORIGIN
    readable = second.headers["access-control-expose-headers"].split(", ")
    assert {"ETag", "Location", "Retry-After", "Accept", ATTRIBUTES} <= set(readable)


@pytest.mark.parametrize(
    "origin", ["https://other.example.com", "https://app.example.com.evil.test", "null"]
)
def test_a_page_of_another_origin_may_not(app: FastAPI, origin: str) -> None:
    for method in ("OPTIONS", "GET"):
        asked = {"Origin": origin, "Access-Control-Request-Method": "GET"}
        answer = ask(app, method, "/jobs", asked)
        assert "access-control-allow-origin" not in answer.headers


@pytest.mark.parametrize(("method", "path"), [*OWN, *OTHERS, ("GET", "/nowhere")])
def test_every_answer_tells_browsers_what_they_may_do(app: FastAPI, method: str, path: str) -> None:
    headers = ask(app, method, path + QUERIES.get(path, "")).headers

    assert headers.get_list("x-content-type-options") == ["nosniff"]
    assert headers.get_list("referrer-policy") == ["same-origin"]
    (policy,) = headers.get_list("content-security-policy")
    assert {"default-src 'none'", "frame-ancestors 'none'"} <= set(policy.split("; "))


@pytest.mark.parametrize(("method", "path"), [*OWN, ("GET", "/nowhere")])
def test_a_host_that_is_not_this_server_reaches_no_route(
    app: FastAPI, method: str, path: str
) -> None:
    answer = ask(app, method, path, {"Host": "evil.example"})

    probes = ("/health", "/ping", "/v2/health/live", "/v2/health/ready")
    assert (answer.status_code == 421) is (path not in probes)


@pytest.mark.parametrize(
    ("method", "path"),
    [(method, path) for method, path in OWN if method not in ("GET", "HEAD", "OPTIONS")],
)
@pytest.mark.parametrize("origin", ["https://other.example.com", "null", "http://localhost:3000"])
def test_a_page_of_another_origin_changes_nothing(
    app: FastAPI, method: str, path: str, origin: str
) -> None:
    answer = ask(app, method, path, {"Origin": origin})

    assert answer.status_code == 403
    assert is_of_protocol(path) or answer.json()["type"] == "foreign_origin"
