"""The bodies that one caller has in flight."""

import asyncio
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI, Request

from app.producer.admission import AdmissionControl
from app.producer.answers import problems
from app.producer.callers.caller_shares import CallerShares
from app.producer.middleware.body_limit import BodyLimit
from app.producer.middleware.body_rules import BodyRule, BodyRules


class Holding:
    """An application that holds each body until `release`, behind the middleware."""

    def __init__(self, share: int) -> None:
        self.release = asyncio.Event()
        self.held = asyncio.Event()
        self.app = FastAPI()
        problems.install(self.app)

        @self.app.post("/")
        async def hold(request: Request) -> int:
            size = len(await request.body())
            self.held.set()
            await self.release.wait()
            return size

        rules = BodyRules(BodyRule(100_000, 10.0))
        memory, shares = AdmissionControl(1, 10**6), CallerShares("bytes", share)
        self.app.add_middleware(BodyLimit, rules=rules, memory=memory, shares=shares)

    async def post(self, client: str, size: int) -> httpx2.Response:
        transport = httpx2.ASGITransport(self.app, client=(client, 1))
        async with httpx2.AsyncClient(transport=transport, base_url="http://test") as http:
            return await http.post("/", content=bytes(size))


@pytest.mark.parametrize(
    ("client", "size", "status"),
    [
        ("192.0.2.1", 8000, 200),
        ("192.0.2.1", 12_000, 429),
        ("192.0.2.1", 4000, 200),
        ("192.0.2.2", 12_000, 200),
    ],
)
def test_bodies_of_one_caller_have_a_share(client: str, size: int, status: int) -> None:
    async def run() -> tuple[httpx2.Response, Any]:
        holding = Holding(20_000)
        first = asyncio.create_task(holding.post("192.0.2.1", 10_000))
        await holding.held.wait()
        second = asyncio.create_task(holding.post(client, size))
        if status == 429:
            await second
        holding.release.set()
        await first
        again = [await holding.post("192.0.2.1", 20_000) for _ in range(2)]
        return await second, [each.status_code for each in again]

    answer, again = asyncio.run(run())
    assert answer.status_code == status
    assert again == [200, 200]
    if status == 429:
        assert answer.json()["type"] == "quota_exceeded"
        assert "20,000 bytes" in answer.json()["detail"]
        assert answer.headers["Retry-After"] == "5"
