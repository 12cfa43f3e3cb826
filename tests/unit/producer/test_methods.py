"""Every path of the application answers every method, and a trailing slash changes nothing.

The paths are those of the application, so a new route is among them.
"""

import asyncio
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest
from anyio import CapacityLimiter
from fastapi import FastAPI
from fastapi.routing import iter_route_contexts

from app.jobs.quotas import JobQuotas
from app.jobs.store import JobStore
from app.models.registry import CachedModelRegistry
from app.producer.admission import AdmissionControl
from app.producer.app import create_app
from app.producer.disk_reserve import DiskReserve
from app.producer.http.event_stream import EventStreams
from app.producer.rpc.client import RpcClient
from app.producer.rpc.router import PredictionRouter
from app.producer.schemas.invocations import ATTRIBUTES
from app.producer.services import Services
from app.protocol.types import JobKind
from app.settings import Settings
from app.storage.client import S3Client
from app.storage.datasets import DatasetStore
from app.storage.model_files import ModelStore
from tests.conftest import migrate
from tests.support.rows import ENDPOINT

ORIGIN = "https://app.example.com"
METHODS = ("DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PROPFIND", "PUT", "TRACE")
NOWHERE = ["/nowhere", "/predicts", "/jobs/a/b", "/static/nothing.js", "/static", "/docs/docs"]
FILE = "/static/favicon.png"
IDS = {"{model_id}": "remote", "{job_id}": "ended", "{dataset_id:path}": "data"}
QUERIES = {"/metadata": "?model_id=remote", "/predict/test": "?model_id=remote"}


def paths() -> dict[str, set[str]]:
    """Return the methods of each path of the application, with ids filled in."""
    found: dict[str, set[str]] = defaultdict(set)
    for context in iter_route_contexts(create_app(Settings(_env_file=None)).routes):
        path = context.path or ""
        for parameter, value in IDS.items():
            path = path.replace(parameter, value)
        assert "{" not in path, f"{path}: give its parameter a value in IDS"
        found[path] |= context.methods or set()
    for methods in found.values():
        methods |= {"OPTIONS", "HEAD"} if "GET" in methods else {"OPTIONS"}
    del found[""], found["/static"]  # the route of all other requests; the mounted files
    return {**found, FILE: {"GET", "HEAD", "OPTIONS"}}


PATHS = paths()
GETS = sorted(path for path, methods in PATHS.items() if "GET" in methods)
OTHERS = [(method, path) for path in PATHS for method in METHODS if method not in PATHS[path]]
OWN = [(method, path) for path in PATHS for method in sorted(PATHS[path])]


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FastAPI]:
    """An application with a database that has jobs and a model; other servers are away."""
    database_url = migrate(f"sqlite:///{tmp_path_factory.mktemp('tables')}/warren.db")
    nowhere = {"aws_endpoint_url": "http://127.0.0.1:1", "rabbitmq_port": 1}
    secrets = {"aws_access_key_id": "id", "aws_secret_access_key": "key"}
    settings = Settings(
        _env_file=None, database_url=database_url, cors_origins=ORIGIN, **nowhere, **secrets
    )
    jobs, s3 = JobStore(database_url), S3Client(settings)
    rpc = RpcClient(None)  # type: ignore[arg-type]
    models = CachedModelRegistry(jobs)
    made = create_app(settings)
    made.state.services = Services(
        settings=settings,
        rpc=rpc,
        predictions=PredictionRouter(rpc, 1.0),
        in_flight=AdmissionControl(9, 9_000_000),
        jobs=jobs,
        models=models,
        s3=s3,
        datasets=DatasetStore(s3, "data/"),
        model_files=ModelStore(s3, "models/"),
        streams=EventStreams(1, None),
        quotas=JobQuotas(),
        disks=DiskReserve((), 0),
        uploads=CapacityLimiter(1),
    )
    models.register("remote", ENDPOINT)
    for job_id in ("ended", "waiting"):
        jobs.create(job_id, JobKind.TRAIN, "data", {})
    jobs.cancel("ended")
    yield made
    jobs.close()


def ask(
    app: FastAPI, method: str, path: str, headers: dict[str, str] | None = None
) -> httpx2.Response:
    async def send() -> httpx2.Response:
        transport = httpx2.ASGITransport(app, raise_app_exceptions=False)
        async with httpx2.AsyncClient(transport=transport, base_url="http://test") as client:
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
    assert answer.headers["content-type"] == "application/problem+json"
    assert allowed(answer) == sorted(PATHS[path])
    if method != "HEAD":
        assert answer.json()["detail"] == (
            f"{method} does not work here; use {', '.join(sorted(PATHS[path]))}"
        )


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


@pytest.mark.parametrize("path", GETS)
def test_head_gets_what_get_gets_without_the_body(app: FastAPI, path: str) -> None:
    asked = path + QUERIES.get(path, "")
    got, head = ask(app, "GET", asked), ask(app, "HEAD", asked)

    assert head.status_code == got.status_code
    assert head.content == b""
    if path == "/health/all":  # it says how many milliseconds each check took
        del got.headers["content-length"], head.headers["content-length"]
    assert dict(head.headers) == dict(got.headers)


def test_head_ends_where_a_stream_of_events_goes_on(app: FastAPI) -> None:
    answer = ask(app, "HEAD", "/jobs/waiting/events")

    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["content-type"].startswith("text/event-stream")


@pytest.mark.parametrize(("method", "path"), OWN)
def test_a_trailing_slash_changes_nothing(app: FastAPI, method: str, path: str) -> None:
    query = QUERIES.get(path, "")
    plain, slash, slashes = (
        ask(app, method, path.rstrip("/") + end + query)
        for end in ("" if path != "/" else "/", "/", "//")
    )

    for answer in (slash, slashes):
        assert answer.status_code == plain.status_code
        if path != "/health/all":
            assert answer.headers == plain.headers
            assert answer.content == plain.content


def test_the_whole_server_has_every_method(app: FastAPI) -> None:
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b""}

    async def send(message: Any) -> None:
        sent.append(message)

    for method in ("OPTIONS", "GET"):
        scope = {"type": "http", "method": method, "path": "*", "query_string": b""}
        asyncio.run(app({**scope, "headers": [], "client": None}, receive, send))

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
