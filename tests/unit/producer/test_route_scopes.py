"""Nobody enters without a key: every route, method and path that the application knows.

The routes are those of the application, so a new one is among them. One that declares no scope
keeps the application from starting.
"""

import asyncio
from collections.abc import Iterator

import httpx2
import pytest
from fastapi import APIRouter, FastAPI, Response
from fastapi.routing import APIRoute, iter_route_contexts

from app import errors
from app.auth.api_key import NewKey
from app.auth.identity import ALL_SCOPES, Identity, Scope
from app.auth.store import create_key
from app.auth.tokens import KEY_PREFIX, new_token
from app.jobs.quotas import JobQuotas
from app.jobs.store import JobStore
from app.producer.answers.event_stream import EventStreams
from app.producer.answers.oip_errors import is_of_protocol
from app.producer.app import create_app
from app.producer.callers.caller import IDENTITY, caller_of
from app.producer.routing.raw_route import RawRoute
from app.producer.routing.route_scopes import (
    OPEN_PATHS,
    allow,
    allow_everybody,
    refuse_undeclared,
    scopes_of,
)
from app.producer.routing.strict_route import StrictRoute
from app.protocol.types import JobKind
from app.settings import Settings
from tests.conftest import migrate
from tests.support.application import FILE, QUERIES, application, detail_of, paths, with_ids

Keys = dict[frozenset[Scope], str]
OWNERS = ("red", "red", "blue")
METHODS = ("DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PROPFIND", "PUT", "TRACE")
NOWHERE = ["/nowhere", "/predicts", "/statics/a", "/docs/docs", "/health/everything"]
OPEN = {path or "/" for path in OPEN_PATHS} | {FILE}
CLOSED = sorted(paths().keys() - OPEN)


def declared() -> list[tuple[str, str, frozenset[Scope]]]:
    """Return the method, path and scopes of each route that needs a key; HEAD is like GET."""
    found = []
    for each in iter_route_contexts(create_app(Settings(_env_file=None)).routes):
        route = each.original_route
        scopes = scopes_of(route.endpoint) if isinstance(route, APIRoute) else None
        if scopes:
            methods = (each.methods or set()) | (
                {"HEAD"} if "GET" in (each.methods or ()) else set()
            )
            found += [(method, with_ids(each.path or ""), scopes) for method in sorted(methods)]
    return found


ROUTES = declared()
RESTRICTED = [each for each in ROUTES if each[2] != ALL_SCOPES]


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FastAPI]:
    database_url = migrate(f"sqlite:///{tmp_path_factory.mktemp('tables')}/warren.db")
    with application(database_url, auth="on") as made:
        made.state.keys.refresh()
        yield made


@pytest.fixture(scope="module")
def keys(app: FastAPI) -> Keys:
    """A key for each scope, one for each set of scopes that a route does not need, one for all."""
    sets = {frozenset((each,)) for each in Scope} | {ALL_SCOPES}
    sets |= {ALL_SCOPES - scopes for _, _, scopes in RESTRICTED}
    made = {
        scopes: create_key(app.state.keys.engine, NewKey(name="test", scopes=list(scopes)))[1]
        for scopes in sets
    }
    app.state.keys.refresh()
    return made


def ask(app: FastAPI, method: str, path: str, headers: dict[str, str] | None = None):
    async def send() -> httpx2.Response:
        transport = httpx2.ASGITransport(app, raise_app_exceptions=False)
        async with httpx2.AsyncClient(transport=transport, base_url="http://localhost") as client:
            return await client.request(method, path, headers=headers)

    return asyncio.run(send())


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


def is_refused(answer: httpx2.Response) -> bool:
    return answer.status_code in (401, 403)


@pytest.mark.parametrize("path", [*CLOSED, *NOWHERE])
def test_without_a_key_every_method_of_every_path_is_a_401(app: FastAPI, path: str) -> None:
    junk = [
        {},
        bearer(new_token(KEY_PREFIX).text),
        bearer("x"),
        {"Authorization": "Basic YTpi"},
        {"X-API-Key": new_token(KEY_PREFIX).text},
        {"Cookie": f"warren_session={new_token('wrs').text}"},
    ]
    for method in METHODS:
        for each in (path, f"{path}/"):
            for headers in junk if method in ("GET", "POST") else junk[:1]:
                if "Cookie" in headers and method == "POST":
                    continue  # a 403, see test_authentication.py
                answer = ask(app, method, each, headers)
                assert answer.status_code == 401, (method, each, headers)
                assert answer.headers["www-authenticate"].startswith("Bearer ")
                detail_of(each, answer)
                if method != "HEAD":
                    assert is_of_protocol(each) or answer.json()["type"] == "unauthenticated"
                    assert (
                        "Authorization" in answer.text
                        or "not valid" in answer.text
                        or ("log in again" in answer.text)
                    )


@pytest.mark.parametrize("path", sorted(OPEN))
def test_an_open_path_needs_no_key_and_minds_no_wrong_one(app: FastAPI, path: str) -> None:
    for headers in ({}, bearer("x"), {"Cookie": "warren_session=x"}):
        for method in ("GET", "HEAD", "OPTIONS", "PATCH"):
            assert not is_refused(ask(app, method, path, headers))


@pytest.mark.parametrize(("method", "path", "scopes"), RESTRICTED)
def test_a_key_of_other_scopes_is_a_403_that_names_the_right_ones(
    app: FastAPI,
    keys: Keys,
    method: str,
    path: str,
    scopes: frozenset[Scope],
) -> None:
    for each in (path, f"{path}/", f"{path}?nonsense=1"):
        answer = ask(app, method, each, bearer(keys[ALL_SCOPES - scopes]))
        assert answer.status_code == 403
        if method != "HEAD":
            assert all(scope in detail_of(path, answer) for scope in scopes)
            if not is_of_protocol(path):
                assert answer.json()["type"] == "forbidden"
                assert set(answer.json()["scopes"]) == scopes


@pytest.mark.parametrize(("method", "path", "scopes"), ROUTES)
def test_any_scope_of_a_route_suffices(
    app: FastAPI,
    keys: Keys,
    method: str,
    path: str,
    scopes: frozenset[Scope],
) -> None:
    for scope in scopes:
        key = keys[frozenset((scope,))]
        for headers in (bearer(key), {"X-API-Key": key}):
            answer = ask(app, method, path + QUERIES.get(path, ""), headers)
            assert not is_refused(answer), answer.text


@pytest.mark.parametrize("path", NOWHERE)
def test_with_a_key_an_unknown_path_is_a_404(app: FastAPI, keys: Keys, path: str) -> None:
    key = keys[frozenset((Scope.METRICS,))]
    assert ask(app, "GET", path, bearer(key)).status_code == 404
    assert ask(app, "POST", path, bearer(key)).status_code == 404


@pytest.mark.parametrize("path", CLOSED)
def test_any_key_gets_the_methods_of_a_path(app: FastAPI, keys: Keys, path: str) -> None:
    key = keys[frozenset((Scope.METRICS,))]
    assert ask(app, "OPTIONS", path, bearer(key)).status_code == 204
    assert ask(app, "PROPFIND", path, bearer(key)).status_code == 405


@pytest.mark.parametrize("prefix", ["/warren", "/health"])
def test_a_prefix_of_a_proxy_opens_nothing(app: FastAPI, prefix: str) -> None:
    settings = app.state.services.settings.model_copy(update={"root_path": prefix})
    prefixed = create_app(settings)
    prefixed.state.services = app.state.services
    prefixed.state.keys.refresh()
    for path in ("/predict", f"{prefix}/predict", f"{prefix}{prefix}/predict", f"{prefix}/jobs/"):
        assert ask(prefixed, "POST", path).status_code == 401
    for path in ("/health", f"{prefix}/health", f"{prefix}/"):
        assert ask(prefixed, "GET", path).status_code == 200
    prefixed.state.keys.engine.dispose()


def test_limits_count_the_keys_of_an_owner_together_and_nobody_without_one(sqlite_url: str) -> None:
    with application(sqlite_url, auth="on", caller_max_requests=0.001) as app:
        new = [NewKey(name="test", owner=owner, scopes=[Scope.JOBS]) for owner in OWNERS]
        mine, second, other = (create_key(app.state.keys.engine, each)[1] for each in new)
        app.state.keys.refresh()
        sent = [bearer("x"), bearer(mine), bearer(mine), {"X-API-Key": second}, bearer(other)]

        answers = [ask(app, "GET", "/jobs", each) for each in sent]

    assert [each.status_code for each in answers] == [401, 200, 429, 429, 200]
    assert answers[3].json()["detail"].startswith("owner red may have 0.001 requests a second;")


def test_streams_bytes_and_jobs_of_an_owner_count_together(sqlite_url: str) -> None:
    identities = [Identity(owner, ALL_SCOPES, f"key {n}") for n, owner in enumerate(OWNERS)]
    mine, second, other = (caller_of({IDENTITY: each}) for each in identities)
    streams = EventStreams(99, of_caller=1)
    jobs = JobStore(sqlite_url)

    def accept(caller: str, job_id: str) -> bool:
        quotas = JobQuotas(queued=1)
        return jobs.create(job_id, JobKind.TRAIN, "d", {}, caller=caller, quotas=quotas)

    with streams.open(mine), pytest.raises(errors.QuotaExceeded, match="owner red may have 1 ev"):
        streams.check(second)
    streams.check(other)
    assert accept(mine, "a")
    with pytest.raises(errors.QuotaExceeded, match="1 jobs are queued for owner red at the most"):
        accept(second, "b")
    assert accept(other, "c")
    jobs.close()


def test_a_preflight_needs_no_key_and_a_page_reads_why_it_is_refused(sqlite_url: str) -> None:
    origin = "https://app.example.com"
    with application(sqlite_url, auth="on", cors_origins=origin) as app:
        app.state.keys.refresh()
        asked = {
            "Origin": origin,
            "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": "authorization",
        }

        first = ask(app, "OPTIONS", "/predict", asked)
        second = ask(app, "POST", "/predict", {"Origin": origin})

    assert (first.status_code, second.status_code) == (200, 401)
    assert first.headers["access-control-allow-headers"] == "authorization"
    assert second.headers["access-control-allow-origin"] == origin
    assert "access-control-allow-credentials" not in first.headers


def with_route(path: str, route_class: type[APIRoute], declare) -> FastAPI:
    app, router = FastAPI(openapi_url=None), APIRouter(route_class=route_class)

    @router.get(path)
    @declare
    async def endpoint() -> Response:
        return Response()

    app.include_router(router)
    return app


@pytest.mark.parametrize("route_class", [RawRoute, StrictRoute])
@pytest.mark.parametrize(
    ("path", "declare"),
    [
        ("/new", lambda endpoint: endpoint),
        ("/new", allow()),
        ("/new", allow_everybody),
        ("/health", allow(Scope.ADMIN)),
    ],
)
def test_a_route_without_a_scope_keeps_the_application_from_starting(
    path: str, route_class: type[APIRoute], declare
) -> None:
    with pytest.raises(TypeError, match=f"{path}: put @allow"):
        refuse_undeclared(with_route(path, route_class, declare))


def test_a_route_that_checks_nothing_cannot_declare_it() -> None:
    with pytest.raises(TypeError, match="/new: put @allow"):
        refuse_undeclared(with_route("/new", APIRoute, allow(Scope.ADMIN)))


@pytest.mark.parametrize("route_class", [RawRoute, StrictRoute])
def test_a_route_that_declares_it_is_accepted(route_class: type[APIRoute]) -> None:
    refuse_undeclared(with_route("/new", route_class, allow(Scope.ADMIN)))
    refuse_undeclared(with_route("/health", route_class, allow_everybody))
