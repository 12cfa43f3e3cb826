"""The chain of the application, in front of raw and other routes."""

import asyncio
import functools
import gzip
from collections.abc import AsyncIterator

import httpx2
import pytest
from starlette.middleware.cors import CORSMiddleware

from app.jobs.quotas import JobQuotas
from app.producer.admission import AdmissionControl
from app.producer.answers.event_stream import EventStreams
from app.producer.app import create_app
from app.producer.disk_reserve import DiskReserve
from app.producer.middleware.allowed_hosts import AllowedHosts
from app.producer.middleware.body_limit import BodyLimit
from app.producer.middleware.content_decoding import ContentDecoding
from app.producer.middleware.error_responses import ErrorResponses
from app.producer.middleware.forwarded import Forwarded
from app.producer.middleware.http_metrics import HttpMetrics
from app.producer.middleware.origin_check import OriginCheck
from app.producer.middleware.security_headers import SecurityHeaders
from app.producer.middleware.stack import middlewares
from app.producer.services import Services
from app.protocol.content_encoding import HTTP_CODINGS
from app.settings import Settings

gzipped = functools.partial(gzip.compress, mtime=0)
LIMIT = 100
MEMORY = AdmissionControl(1, 10 * LIMIT)


@pytest.fixture
def settings() -> Settings:
    return Settings(_env_file=None, max_body=LIMIT)


def test_the_chain_is_in_order(settings: Settings) -> None:
    assert [each.cls for each in middlewares(settings, MEMORY)] == [
        *(SecurityHeaders, Forwarded, AllowedHosts, HttpMetrics),
        *(ErrorResponses, OriginCheck, BodyLimit, ContentDecoding),
    ]


@pytest.mark.parametrize(("root_path", "is_there"), [("", False), ("/warren", True)])
def test_without_proxies_and_prefix_nothing_looks_for_them(root_path: str, is_there: bool) -> None:
    settings = Settings(_env_file=None, forwarded_allow_ips="", root_path=root_path)
    assert (Forwarded in [each.cls for each in middlewares(settings, MEMORY)]) is is_there


@pytest.mark.parametrize("origins", ["*", "https://a.example.com, http://localhost:3000"])
def test_origins_put_cors_before_what_refuses_requests(origins: str) -> None:
    chain = [
        each.cls for each in middlewares(Settings(_env_file=None, cors_origins=origins), MEMORY)
    ]
    assert chain == [
        *(SecurityHeaders, Forwarded, AllowedHosts, HttpMetrics, CORSMiddleware),
        *(ErrorResponses, OriginCheck, BodyLimit, ContentDecoding),
    ]


async def chunks() -> AsyncIterator[bytes]:
    for _ in range(3):
        yield b"x" * (LIMIT // 2)


PATHS = ["/predict", "/predict/parallel", "/predict/async", "/invocations", "/train"]


def answer_to(
    settings: Settings, path: str, content: bytes | AsyncIterator[bytes], **headers: str
) -> httpx2.Response:
    """Return the answer of an application that has nothing behind it."""
    app = create_app(settings)
    app.state.services = Services(
        settings=settings,
        rpc=None,  # type: ignore[arg-type]
        predictions=None,  # type: ignore[arg-type]
        in_flight=AdmissionControl(1, 10 * LIMIT),
        shadows=None,  # type: ignore[arg-type]
        jobs=None,  # type: ignore[arg-type]
        models=None,  # type: ignore[arg-type]
        s3=None,  # type: ignore[arg-type]
        datasets=None,  # type: ignore[arg-type]
        descriptions=None,  # type: ignore[arg-type]
        model_files=None,  # type: ignore[arg-type]
        batch_files=None,  # type: ignore[arg-type]
        streams=EventStreams(1, None),
        watch=None,  # type: ignore[arg-type]
        access=None,  # type: ignore[arg-type]
        quotas=JobQuotas(),
        disks=DiskReserve((), 0),
        uploads=None,  # type: ignore[arg-type]
    )

    async def ask() -> httpx2.Response:
        transport = httpx2.ASGITransport(app)
        async with httpx2.AsyncClient(transport=transport, base_url="http://localhost") as client:
            sent = {"Content-Type": "application/json"} | headers
            method = "PUT" if path.startswith("/models") else "POST"
            return await client.request(method, path, content=content, headers=sent)

    return asyncio.run(ask())


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("chunked", [False, True])
def test_every_kind_of_route_is_behind_the_body_limit(
    settings: Settings, path: str, chunked: bool
) -> None:
    answer = answer_to(settings, path, chunks() if chunked else b"x" * (LIMIT + 1))

    assert answer.status_code == 413
    assert answer.json() == {
        "type": "too_large",
        "title": answer.json()["title"],
        "status": 413,
        "detail": f"body: over the limit of {LIMIT} bytes",
        "field": "body",
    }


@pytest.mark.parametrize("path", [*PATHS, "/models/m"])
@pytest.mark.parametrize(
    ("encoding", "body", "status", "kind", "says"),
    [
        ("gzip", gzipped(b'{"a": 1, "a": 2}'), 422, "malformed", "stands twice"),
        ("gzip", gzipped(b"["), 422, "malformed", "the text ends before the JSON is complete"),
        ("gzip", b"{}", 422, "malformed", "the gzip data cannot be decoded: incorrect header"),
        ("gzip", gzipped(b"{}")[:-1], 422, "malformed", "the body was cut off"),
        ("gzip", gzipped(bytes(10_000)), 413, "too_large", "bytes when decoded"),
        ("br", b"{}", 415, "unsupported", '"br" is unknown; send gzip, deflate'),
    ],
)
def test_every_kind_of_route_decodes_its_body(
    path: str, encoding: str, body: bytes, status: int, kind: str, says: str
) -> None:
    settings = Settings(_env_file=None, max_body=LIMIT, max_model=LIMIT)

    answer = answer_to(settings, path, body, **{"Content-Encoding": encoding})

    assert (answer.status_code, answer.json()["type"]) == (status, kind)
    assert says in answer.json()["detail"]
    assert answer.headers.get("accept-encoding") == (
        ", ".join(HTTP_CODINGS) if status == 415 else None
    )
