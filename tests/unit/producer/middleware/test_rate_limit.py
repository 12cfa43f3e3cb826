"""What callers beyond their rates are told, and what all others are."""

import asyncio
from pathlib import Path
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI, Request
from starlette.types import ASGIApp, Receive, Scope, Send

from app.auth.identity import Identity
from app.auth.key_limits import KeyLimits
from app.auth.key_ring import KeyRing
from app.database.engine import create_engine
from app.producer.admission import AdmissionControl
from app.producer.answers import problems
from app.producer.app import create_app
from app.producer.callers.caller import IDENTITY
from app.producer.callers.row_count import count_rows
from app.producer.middleware.gcra import Gcra
from app.producer.middleware.rate_limit import RateLimit
from app.producer.middleware.stack import middlewares
from app.settings import Settings


def answers(app: Any, *paths: str, client: str = "192.0.2.1") -> list[httpx2.Response]:
    """Return the answers to requests that one client sends one after the other."""

    async def ask() -> list[httpx2.Response]:
        transport = httpx2.ASGITransport(app, client=(client, 1))
        async with httpx2.AsyncClient(transport=transport, base_url="http://localhost") as http:
            return [await http.get(path) for path in paths]

    return asyncio.run(ask())


def limited(requests: float | None = None, rows: float | None = None) -> FastAPI:
    """An application that predicts nothing, behind the middleware, with a clock that stands."""
    app = FastAPI()
    problems.install(app)

    @app.get("/v2/health/ready")
    @app.get("/health")
    async def health() -> None: ...

    @app.get("/rows/{rows}")
    async def predict(request: Request, rows: int) -> None:
        count_rows(request.scope, rows)

    limits = {"requests": requests, "rows": rows}
    gates = {what: rate and Gcra(what, rate, lambda: 0.0) for what, rate in limits.items()}
    app.add_middleware(RateLimit, **gates, clock=lambda: 0.0)
    return app


def acting(app: ASGIApp, identity: Identity) -> ASGIApp:
    """Let each request of an application be that of somebody."""

    async def act(scope: Scope, receive: Receive, send: Send) -> None:
        await app({**scope, IDENTITY: identity}, receive, send)

    return act


def key(key_id: str, session_id: str | None = None, **limits: Any) -> Identity:
    """A key of one owner, or a login with it, with limits of its own or without."""
    own = KeyLimits(**limits) if limits else None
    return Identity("red", key_id=key_id, session_id=session_id, limits=own)


def test_each_response_says_what_is_left() -> None:
    first, second = answers(limited(requests=50, rows=2000), "/rows/1", "/rows/10")
    assert first.headers["RateLimit-Policy"] == (
        '"requests";q=50;w=1;qu="requests", "rows";q=2000;w=1;qu="rows"'
    )
    assert first.headers["RateLimit"] == '"requests";r=49;t=1, "rows";r=1999;t=1'
    assert second.headers["RateLimit"] == '"requests";r=48;t=1, "rows";r=1989;t=1'


def test_a_request_beyond_the_rate_is_refused_with_a_time() -> None:
    app = limited(requests=0.1)
    allowed, refused = answers(app, "/rows/1", "/rows/1")
    assert allowed.status_code == 200
    assert refused.status_code == 429
    assert refused.json() == {
        "type": "rate_limited",
        "title": "Too Many Requests",
        "status": 429,
        "detail": "192.0.2.1 may have 0.1 requests a second; ask again in 10 s",
        "retry_after": 10,
    }
    assert refused.headers["Retry-After"] == "10"
    assert refused.headers["RateLimit"] == '"requests";r=0;t=10'
    assert refused.headers["RateLimit-Policy"] == '"requests";q=1;w=10;qu="requests"'


def test_rows_beyond_the_rate_are_refused_with_a_time() -> None:
    allowed, refused = answers(limited(rows=100), "/rows/1000", "/rows/1")
    assert allowed.status_code == 200
    assert allowed.headers["RateLimit"] == '"rows";r=0;t=10'
    assert (refused.status_code, refused.headers["Retry-After"]) == (429, "10")
    assert refused.json()["detail"] == "192.0.2.1 may have 100 rows a second; ask again in 10 s"


def test_callers_do_not_share_and_health_is_always_told() -> None:
    app = limited(requests=1)
    paths = ["/rows/1", "/rows/1", "/health", "/v2/health/ready"]
    for client in ("192.0.2.1", "192.0.2.2"):
        told = [each.status_code for each in answers(app, *paths, client=client)]
        assert told == [200, 429, 200, 200]


@pytest.mark.parametrize(
    ("asked", "installed"),
    [({}, False), ({"caller_max_requests": 10}, True), ({"caller_max_rows": 10}, True)],
)
def test_nothing_is_installed_where_nothing_is_limited(
    asked: dict[str, Any], installed: bool
) -> None:
    chain = middlewares(Settings(_env_file=None, **asked), AdmissionControl(1, 10**7))
    assert (RateLimit in [each.cls for each in chain]) is installed


def test_where_there_are_keys_any_of_them_may_be_limited(tmp_path: Path) -> None:
    ring = KeyRing(create_engine(f"sqlite:///{tmp_path}/unread.db"))
    chain = middlewares(Settings(_env_file=None), AdmissionControl(1, 10**7), ring)
    assert RateLimit in [each.cls for each in chain]


def test_a_key_at_its_limit_is_refused_and_takes_nothing_from_its_owner() -> None:
    app = limited(requests=3)
    notebook, script = acting(app, key("notebook", max_requests=1)), acting(app, key("script"))

    told = answers(notebook, "/rows/1", "/rows/1", "/rows/1")
    assert [each.status_code for each in told] == [200, 429, 429]
    assert told[1].json()["detail"] == (
        "key notebook may have 1 requests a second; ask again in 1 s"
    )

    told = answers(script, "/rows/1", "/rows/1", "/rows/1")
    assert [each.status_code for each in told] == [200, 200, 429]
    assert told[2].json()["detail"] == "owner red may have 3 requests a second; ask again in 1 s"


def test_the_fields_tell_of_the_tighter_limit() -> None:
    app = limited(requests=3, rows=1000)
    notebook = acting(app, key("notebook", max_requests=2, max_rows=10))
    (first,) = answers(notebook, "/rows/1")
    assert first.headers["RateLimit-Policy"] == (
        '"requests";q=2;w=1;qu="requests", "rows";q=10;w=1;qu="rows"'
    )
    assert first.headers["RateLimit"] == '"requests";r=1;t=1, "rows";r=9;t=1'

    answers(acting(app, key("script")), "/rows/1", "/rows/1")  # all that the owner has left

    (refused,) = answers(notebook, "/rows/1")
    assert refused.json()["detail"].startswith("owner red may have 3 requests")
    assert refused.headers["RateLimit"].startswith('"requests";r=0;t=1, ')
    assert refused.headers["RateLimit-Policy"].startswith('"requests";q=3;w=1;')


def test_the_rows_of_a_key_have_a_limit_of_their_own() -> None:
    app = limited()
    notebook = acting(app, key("notebook", max_rows=10))
    allowed, refused = answers(notebook, "/rows/100", "/rows/1")
    assert allowed.headers["RateLimit"] == '"rows";r=0;t=10'
    assert (refused.status_code, refused.headers["Retry-After"]) == (429, "10")
    assert refused.json()["detail"] == "key notebook may have 10 rows a second; ask again in 10 s"
    (other,) = answers(acting(app, key("script", max_rows=10)), "/rows/1")
    assert other.status_code == 200


def test_a_login_counts_for_its_key() -> None:
    app = limited()
    limits = {"max_requests": 2}
    sent = [key("a", **limits), key("a", "login", **limits), key("a", "another", **limits)]
    told = [answers(acting(app, each), "/rows/1")[0].status_code for each in sent]
    assert told == [200, 200, 429]


def test_a_key_that_is_asked_for_health_does_not_count() -> None:
    app = acting(limited(), key("a", max_requests=1))
    assert [each.status_code for each in answers(app, *["/health"] * 3, "/rows/1")] == [200] * 4


@pytest.mark.parametrize("limits", [{}, {"max_queued": 1}])
def test_a_key_without_rates_of_its_own_is_told_of_none(limits: dict[str, Any]) -> None:
    first, second = answers(acting(limited(), key("a", **limits)), "/rows/1", "/rows/1")
    assert (first.status_code, second.status_code) == (200, 200)
    assert "RateLimit" not in second.headers
    assert "RateLimit-Policy" not in second.headers


def test_a_proxy_is_not_the_caller() -> None:
    app = create_app(
        Settings(_env_file=None, caller_max_requests=0.001, forwarded_allow_ips="10.0.0.1")
    )

    async def ask() -> list[int]:
        transport = httpx2.ASGITransport(app, client=("10.0.0.1", 1))
        async with httpx2.AsyncClient(transport=transport, base_url="http://localhost") as http:
            said = [{"X-Forwarded-For": f"192.0.2.{each}"} for each in (1, 1, 2)]
            return [(await http.get("/nothing", headers=each)).status_code for each in said]

    assert asyncio.run(ask()) == [404, 429, 404]
