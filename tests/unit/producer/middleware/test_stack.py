"""The chain of the application, in front of raw and other routes."""

import asyncio
from collections.abc import AsyncIterator

import httpx2
import pytest
from starlette.middleware.cors import CORSMiddleware

from app.producer.app import create_app
from app.producer.middleware.admission import AdmissionControl
from app.producer.middleware.body_limit import BodyLimit
from app.producer.middleware.error_responses import ErrorResponses
from app.producer.middleware.forwarded import Forwarded
from app.producer.middleware.stack import middlewares
from app.producer.services import Services
from app.settings import Settings

LIMIT = 100


@pytest.fixture
def settings() -> Settings:
    return Settings(_env_file=None, max_body=LIMIT)


def test_the_chain_is_in_order(settings: Settings) -> None:
    assert [each.cls for each in middlewares(settings)] == [Forwarded, ErrorResponses, BodyLimit]


@pytest.mark.parametrize(("root_path", "is_there"), [("", False), ("/warren", True)])
def test_without_proxies_and_prefix_nothing_looks_for_them(root_path: str, is_there: bool) -> None:
    settings = Settings(_env_file=None, forwarded_allow_ips="", root_path=root_path)
    assert (Forwarded in [each.cls for each in middlewares(settings)]) is is_there


@pytest.mark.parametrize("origins", ["*", "https://a.example.com, http://localhost:3000"])
def test_origins_put_cors_before_what_refuses_requests(origins: str) -> None:
    chain = [each.cls for each in middlewares(Settings(_env_file=None, cors_origins=origins))]
    assert chain == [Forwarded, CORSMiddleware, ErrorResponses, BodyLimit]


async def chunks() -> AsyncIterator[bytes]:
    for _ in range(3):
        yield b"x" * (LIMIT // 2)


@pytest.mark.parametrize("path", ["/predict", "/predict/parallel", "/invocations", "/train"])
@pytest.mark.parametrize("chunked", [False, True])
def test_every_kind_of_route_is_behind_the_body_limit(
    settings: Settings, path: str, chunked: bool
) -> None:
    app = create_app(settings)
    app.state.services = Services(
        settings=settings,
        rpc=None,  # type: ignore[arg-type]
        predictions=None,  # type: ignore[arg-type]
        in_flight=AdmissionControl(1, 10 * LIMIT),
        jobs=None,  # type: ignore[arg-type]
        models=None,  # type: ignore[arg-type]
        s3=None,  # type: ignore[arg-type]
        datasets=None,  # type: ignore[arg-type]
        model_files=None,  # type: ignore[arg-type]
        uploads=None,  # type: ignore[arg-type]
    )

    async def ask() -> httpx2.Response:
        transport = httpx2.ASGITransport(app)
        async with httpx2.AsyncClient(transport=transport, base_url="http://test") as client:
            content = chunks() if chunked else b"x" * (LIMIT + 1)
            headers = {"Content-Type": "application/json"}
            return await client.post(path, content=content, headers=headers)

    answer = asyncio.run(ask())

    assert answer.status_code == 413
    assert answer.json() == {
        "type": "too_large",
        "title": answer.json()["title"],
        "status": 413,
        "detail": f"body: over the limit of {LIMIT} bytes",
        "field": "body",
    }
