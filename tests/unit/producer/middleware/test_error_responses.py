"""Errors that a middleware raises are answered with problem documents, on every kind of route."""

import asyncio
from collections.abc import Callable
from typing import Any

import httpx2
import pytest
from fastapi import APIRouter, FastAPI, Request, Response
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.types import ASGIApp, Receive, Scope, Send

from app import errors
from app.producer.answers import problems
from app.producer.middleware.error_responses import ErrorResponses
from app.producer.routing.raw_route import RawRoute


class Raising:
    """A middleware that raises an error for each request, before it calls the next or after."""

    def __init__(self, app: ASGIApp, error: Exception, *, late: bool) -> None:
        self.app, self.error, self.late = app, error, late

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self.late:
            await self.app(scope, receive, send)
        raise self.error


def application(error: Exception, *, late: bool = False) -> FastAPI:
    middleware = [Middleware(ErrorResponses), Middleware(Raising, error=error, late=late)]
    app, raw = FastAPI(middleware=middleware), APIRouter(route_class=RawRoute)

    @raw.post("/predict")
    async def predict(request: Request) -> Response:
        return Response(b"answered")

    @app.get("/jobs")
    async def jobs() -> None: ...

    app.include_router(raw)
    problems.install(app)
    return app


def ask(app: ASGIApp, method: str = "POST", path: str = "/predict") -> httpx2.Response:
    async def send() -> httpx2.Response:
        transport = httpx2.ASGITransport(app, raise_app_exceptions=False)
        async with httpx2.AsyncClient(transport=transport, base_url="http://test") as client:
            return await client.request(method, path)

    return asyncio.run(send())


ROUTES = [("POST", "/predict"), ("GET", "/jobs"), ("GET", "/nowhere"), ("DELETE", "/predict")]


@pytest.mark.parametrize(("method", "path"), ROUTES)
@pytest.mark.parametrize(
    ("error", "status", "kind"),
    [
        (errors.Overloaded("ask again in a moment"), 503, "overloaded"),
        (errors.Invalid("authorization", "no such key"), 422, "invalid"),
        (HTTPException(413, "body: over the limit of 1 bytes"), 413, "too_large"),
        (HTTPException(401, "no key", {"WWW-Authenticate": "Bearer"}), 401, "about:blank"),
    ],
)
def test_what_a_middleware_raises_becomes_a_problem(
    method: str, path: str, error: Exception, status: int, kind: str
) -> None:
    answer = ask(application(error), method, path)

    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["type"] == kind
    assert answer.headers.get("www-authenticate") == ("Bearer" if status == 401 else None)


def test_a_bug_of_a_middleware_becomes_a_problem_that_shows_nothing_of_it() -> None:
    answer = ask(application(KeyError("hunter2")))

    assert answer.status_code == 500
    assert answer.json()["type"] == "internal"
    assert "hunter2" not in answer.text


@pytest.mark.parametrize("error", [errors.Overloaded(), KeyError("hunter2")])
def test_an_error_after_the_response_began_adds_nothing_to_it(error: Exception) -> None:
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "http.request", "body": b""}

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "POST", "path": "/predict", "headers": [], "root_path": ""}
    with pytest.raises(type(error)):
        asyncio.run(application(error, late=True)(scope, receive, send))

    assert [each["type"] for each in sent] == ["http.response.start", "http.response.body"]
    assert sent[0]["status"] == 200


@pytest.mark.parametrize("kind", ["lifespan", "websocket"])
def test_only_requests_are_watched(kind: str) -> None:
    seen: list[Callable[..., Any]] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(send)

    async def send(message: Any) -> None: ...

    asyncio.run(ErrorResponses(app)({"type": kind}, send, send))  # type: ignore[arg-type]

    assert seen == [send]
