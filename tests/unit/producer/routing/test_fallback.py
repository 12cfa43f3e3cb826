"""What a server sees: the messages of a HEAD, and paths below a prefix."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.responses import StreamingResponse

from app import errors
from app.producer.answers import problems
from app.producer.routing.fallback import Fallback
from app.producer.routing.raw_route import RawRoute
from app.producer.routing.strict_route import StrictRoute


async def endless() -> AsyncIterator[bytes]:
    while True:
        yield b"event"


async def whole(request: Request) -> Response:
    return Response(b"12345")


async def stream(request: Request) -> Response:
    return StreamingResponse(endless())


async def broken(request: Request) -> Response:
    raise errors.Unavailable("not now")


def ask(router: APIRouter, method: str, path: str, root_path: str = "") -> list[dict[str, Any]]:
    """Return the messages that a server would get."""
    app = FastAPI()
    app.include_router(router)
    app.router.routes.append(Fallback(app.router))
    problems.install(app)
    scope = {
        "type": "http",
        "method": method,
        "path": path,
        "root_path": root_path,
        "headers": [],
        "query_string": b"",
    }
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        await asyncio.Event().wait()  # the client waits for the answer
        return {}

    async def send(message: Any) -> None:
        sent.append(message)

    asyncio.run(app(scope, receive, send))
    assert scope["method"] == method, "a server leaves out the body of a HEAD's error because of it"
    return sent


@pytest.mark.parametrize("route_class", [RawRoute, StrictRoute])
@pytest.mark.parametrize(
    ("endpoint", "status", "length"), [(whole, 200, b"5"), (stream, 200, None), (broken, 503, ...)]
)
def test_head_is_the_head_of_get_and_ends(
    route_class: type, endpoint: Any, status: int, length: Any
) -> None:
    router = APIRouter(route_class=route_class)
    router.get("/thing")(endpoint)

    sent = ask(router, "HEAD", "/thing")

    assert [each["type"] for each in sent] == ["http.response.start", "http.response.body"]
    assert sent[0]["status"] == status
    if length is not ...:
        assert dict(sent[0]["headers"]).get(b"content-length") == length
        assert not sent[1].get("body")


@pytest.mark.parametrize(
    ("prefix", "path", "status"),
    [
        ("", "//", 200),
        ("", "/thing/", 200),
        ("", "/thing//", 200),
        ("", "//thing", 404),
        ("/api", "/api", 200),
        ("/api", "/api//", 200),
        ("/api", "/api/thing/", 200),
        ("/api", "/api/nothing/", 404),
    ],
)
def test_a_slash_at_the_end_means_nothing_below_a_prefix_too(
    prefix: str, path: str, status: int
) -> None:
    router = APIRouter(route_class=RawRoute)
    router.get("/")(whole)
    router.get("/thing")(whole)

    assert ask(router, "GET", path, prefix)[0]["status"] == status


def test_an_unknown_path_below_a_prefix_is_told_without_it_and_where_the_pages_are() -> None:
    router = APIRouter(route_class=RawRoute)
    router.get("/thing")(whole)

    _, body = ask(router, "GET", "/api/things", "/api")

    detail = json.loads(body["body"])["detail"]
    said = 'there is no path "/things"; did you mean "/thing"?; /api/docs lists all paths'
    assert detail == said
