"""The messages of a HEAD, as a server sees them."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.responses import StreamingResponse

from app import errors
from app.producer.http import problems
from app.producer.http.fallback import Fallback
from app.producer.http.raw_route import RawRoute
from app.producer.http.strict_route import StrictRoute


async def endless() -> AsyncIterator[bytes]:
    while True:
        yield b"event"


async def whole(request: Request) -> Response:
    return Response(b"12345")


async def stream(request: Request) -> Response:
    return StreamingResponse(endless())


async def broken(request: Request) -> Response:
    raise errors.Unavailable("not now")


@pytest.mark.parametrize("route_class", [RawRoute, StrictRoute])
@pytest.mark.parametrize(
    ("endpoint", "status", "length"), [(whole, 200, b"5"), (stream, 200, None), (broken, 503, ...)]
)
def test_head_is_the_head_of_get_and_ends(
    route_class: type, endpoint: Any, status: int, length: Any
) -> None:
    app, router = FastAPI(), APIRouter(route_class=route_class)
    router.get("/thing")(endpoint)
    app.include_router(router)
    app.router.routes.append(Fallback(app.router))
    problems.install(app)
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        await asyncio.Event().wait()  # the client waits for the answer
        return {}

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "HEAD", "path": "/thing", "headers": [], "query_string": b""}
    asyncio.run(app(scope, receive, send))

    assert scope["method"] == "HEAD", "a server leaves out the body of errors because of it"
    assert [each["type"] for each in sent] == ["http.response.start", "http.response.body"]
    assert sent[0]["status"] == status
    if length is not ...:
        assert dict(sent[0]["headers"]).get(b"content-length") == length
        assert not sent[1].get("body")
