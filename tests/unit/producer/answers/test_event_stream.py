import asyncio
from collections.abc import AsyncIterator

import httpx2
import pytest
from fastapi import FastAPI, Response
from sse_starlette import ServerSentEvent
from starlette.types import Receive, Scope, Send

from app import errors
from app.auth.identity import Identity
from app.producer.answers import problems
from app.producer.answers.event_stream import EventStream, EventStreams
from app.producer.callers.caller import IDENTITY


@pytest.mark.parametrize(
    ("most", "of_caller", "error"),
    [(3, 2, errors.QuotaExceeded), (2, 2, errors.Overloaded), (2, None, errors.Overloaded)],
)
def test_a_stream_too_many_is_refused_until_one_ends(
    most: int, of_caller: int | None, error: type[errors.WarrenError]
) -> None:
    streams = EventStreams(most, of_caller)
    with streams.open("a"):
        for _ in range(3):
            with streams.open("a"):
                with pytest.raises(error), streams.open("a"):
                    raise AssertionError
                with pytest.raises(error):
                    streams.check("a")
        with streams.open("b"):
            pass


def test_a_refused_stream_is_a_problem_and_counts_no_more() -> None:
    streams = EventStreams(1, None)
    app = FastAPI()
    problems.install(app)

    async def events() -> AsyncIterator[ServerSentEvent]:
        yield ServerSentEvent("x")

    @app.get("/")
    async def follow() -> Response:
        return EventStream(streams, events())

    async def ask() -> httpx2.Response:
        transport = httpx2.ASGITransport(app)
        async with httpx2.AsyncClient(transport=transport, base_url="http://localhost") as client:
            return await client.get("/")

    with streams.open("somebody"):
        refused = asyncio.run(ask())
    assert (refused.status_code, refused.headers["Retry-After"]) == (503, "5")
    assert refused.json()["detail"] == "1 event streams are open; ask again later"
    assert [asyncio.run(ask()).text for _ in range(2)] == ["data: x\r\n\r\n"] * 2


@pytest.mark.parametrize("revoked", [True, False])
def test_a_stream_ends_with_its_key(revoked: bool) -> None:
    looks = 0
    app, looked_often = FastAPI(), asyncio.Event()

    def is_valid(identity: Identity) -> bool:
        nonlocal looks
        looks += 1
        if looks == 3:
            looked_often.set()
        return identity.key_id == "mine" and not (revoked and looks == 3)

    async def events() -> AsyncIterator[ServerSentEvent]:
        yield ServerSentEvent("first")
        await (asyncio.Event() if revoked else looked_often).wait()
        yield ServerSentEvent("last")

    streams = EventStreams(1, None, is_valid, seconds=0.01)

    @app.get("/")
    async def follow() -> Response:
        return EventStream(streams, events())

    async def with_key(scope: Scope, receive: Receive, send: Send) -> None:
        await app({**scope, IDENTITY: Identity(key_id="mine")}, receive, send)

    async def ask() -> str:
        transport = httpx2.ASGITransport(with_key)
        async with httpx2.AsyncClient(transport=transport, base_url="http://localhost") as client:
            return (await client.get("/")).text

    last = "" if revoked else "data: last\r\n\r\n"
    assert asyncio.run(ask()) == f"data: first\r\n\r\n{last}"
    with streams.open("a"):
        pass
