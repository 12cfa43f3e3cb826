"""The span of a request: its name, its parent, what it tells, and what it does not."""

import asyncio

import httpx2
import pytest
from fastapi import FastAPI, Response
from opentelemetry.trace import StatusCode
from starlette.types import ASGIApp

from app.producer.middleware.tracing import Tracing
from tests.support.spans import OTHER, SENT, ids, named, recorded, trace_of


def application() -> ASGIApp:
    app = FastAPI()

    @app.get("/jobs/{job_id}")
    async def job(job_id: str) -> Response:
        if job_id == "bug":
            raise ValueError("secret")
        return Response(status_code=503 if job_id == "away" else 200)

    return Tracing(app)


def ask(path: str, method: str = "GET", headers: list[tuple[str, str]] | None = None) -> int:
    async def send() -> int:
        transport = httpx2.ASGITransport(application(), raise_app_exceptions=False)
        async with httpx2.AsyncClient(transport=transport, base_url="http://localhost") as client:
            return (await client.request(method, path, headers=headers)).status_code

    return asyncio.run(send())


def test_a_span_has_the_route_and_not_the_query() -> None:
    with recorded() as spans:
        assert ask("/jobs/a?key=secret") == 200
        found = named(spans)["GET /jobs/{job_id}"]

    assert found.kind.name == "SERVER"
    assert found.attributes == {
        "http.request.method": "GET",
        "http.route": "/jobs/{job_id}",
        "http.response.status_code": 200,
        "url.path": "/jobs/a",
        "url.scheme": "http",
    }
    assert found.status.status_code is StatusCode.UNSET


@pytest.mark.parametrize(
    ("path", "method", "name", "status", "error"),
    [
        ("/none", "GET", "GET", 404, None),
        ("/jobs/a", "BREW", "HTTP", 405, None),
        ("/jobs/away", "GET", "GET /jobs/{job_id}", 503, "503"),
    ],
)
def test_failures_of_the_server_are_errors(
    path: str, method: str, name: str, status: int, error: str | None
) -> None:
    with recorded() as spans:
        assert ask(path, method) == status
        (found,) = spans.get_finished_spans()

    assert found.name.startswith(name)
    assert found.attributes
    assert found.attributes.get("error.type") == error
    assert found.attributes["http.response.status_code"] == status


def test_a_bug_is_an_error_without_its_text() -> None:
    with recorded() as spans:
        assert ask("/jobs/bug") == 500
        (found,) = spans.get_finished_spans()

    assert found.status.status_code is StatusCode.ERROR
    assert "secret" not in found.to_json()


@pytest.mark.parametrize(
    ("headers", "trace"),
    [
        ([("traceparent", SENT)], SENT),
        ([("Traceparent", SENT)], SENT),
        ([("traceparent", SENT), ("traceparent", OTHER)], None),
        ([("traceparent", "junk")], None),
        ([("traceparent", f"{SENT}-{'x' * 1000}")], None),
    ],
)
def test_the_span_of_the_caller_is_the_parent(
    headers: list[tuple[str, str]], trace: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    with recorded() as spans:
        ask("/jobs/a", headers=headers)
        (found,) = spans.get_finished_spans()

    if trace:
        assert ids(found)[0] == trace_of(trace)
    else:
        assert found.parent is None
    assert not caplog.records
