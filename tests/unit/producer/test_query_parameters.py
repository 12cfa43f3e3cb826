"""Every route refuses a query parameter that it does not declare, and one that is given twice."""

import asyncio
from typing import Any

import httpx2
import pytest
from fastapi.routing import APIRoute, iter_route_contexts

from app.producer.answers.oip_errors import is_of_protocol
from app.producer.app import create_app
from app.producer.ui.page_route import CHECKED
from app.settings import Settings

APP = create_app(Settings(_env_file=None))
APP.state.services = None
# No answer of these depends on a parameter, and browsers, caches and links add their own.
PAGES = {"/openapi.json", "/docs", "/redoc", "/static"}
IDS = {
    "{model_id}": "m",
    "{job_id}": "j",
    "{key_id}": "k",
    "{dataset_id:path}": "d",
    "{dataset_id}": "d",
    "{grantee}": "g",
    "{file}": "f",
    "{version}": "1",
}


def routes() -> list[Any]:
    """Return the method, path and known query parameters of each route but the pages."""
    found = []
    for context in iter_route_contexts(APP.routes):
        if context.path in PAGES or context.path is None:
            continue
        assert isinstance(context.original_route, APIRoute), context.path
        path = context.path
        for name, value in IDS.items():
            path = path.replace(name, value)
        dependant = context.original_route.dependant
        parts = (dependant, *dependant.dependencies)
        known = {each.alias for part in parts for each in part.query_params}
        found += [pytest.param(method, path, known, id=f"{method} {path}")
                  for method in sorted(context.methods or ())]  # fmt: skip
    return found


ROUTES = routes()


def ask(method: str, path: str) -> httpx2.Response:
    """Send a request to the application, of which no service runs."""

    async def send() -> httpx2.Response:
        transport = httpx2.ASGITransport(APP)
        async with httpx2.AsyncClient(transport=transport, base_url="http://localhost") as client:
            return await client.request(method, path)

    return asyncio.run(send())


def refused(method: str, path: str) -> dict[str, Any]:
    """Return the problem document of a request that is refused; below /v2 only its detail."""
    answer = ask(method, path)
    if is_of_protocol(path.partition("?")[0]):
        assert answer.status_code == 400
        detail = answer.json()["error"]
        return {"detail": detail, "field": detail.partition(":")[0]}
    assert answer.status_code == 422
    problem: dict[str, Any] = answer.json()
    assert problem["type"] == "invalid"
    return problem


@pytest.mark.parametrize(("method", "path", "known"), ROUTES)
def test_an_unknown_parameter_is_refused_with_the_known_ones(
    method: str, path: str, known: set[str]
) -> None:
    problem = refused(method, f"{path}?nonsense=1")

    takes = ", ".join(sorted(known)) or "none"
    message = f"nonsense: this query parameter is not known; this path takes {takes}"
    assert (problem["field"], problem["detail"]) == ("nonsense", message)


@pytest.mark.parametrize(("method", "path", "known"), [each for each in ROUTES if each.values[2]])
def test_the_nearest_parameter_is_named_and_none_is_given_twice(
    method: str, path: str, known: set[str]
) -> None:
    for name in known:
        misspelt = refused(method, f"{path}?{name.upper()}=1")["detail"]
        assert misspelt.endswith(f'; did you mean "{name}"?')

        if path.startswith("/ui") and name in CHECKED:
            continue
        problem = refused(method, f"{path}?{name}=1&{name}=2")
        assert problem["field"] == name
        assert "more than once" in problem["detail"]


@pytest.mark.parametrize(
    ("method", "path", "field"),
    [
        ("GET", "/models/?dataset=d", "dataset"),  # with a slash at the end
        ("POST", "/predict?model_id=m", "model_id"),
        ("GET", "/jobs?=1", '""'),
        ("GET", "/jobs?limit&x", "x"),
        ("GET", "/jobs?%00%ff=1", "\0\N{REPLACEMENT CHARACTER}"),
        ("GET", f"/jobs?{'x' * 5000}=1", "x" * 256 + "…"),
    ],
)
def test_odd_names_are_refused(method: str, path: str, field: str) -> None:
    assert refused(method, path)["field"] == field


def test_head_is_refused_as_get_is() -> None:
    assert ask("HEAD", "/models?x=1").status_code == 422


@pytest.mark.parametrize("path", ["/openapi.json", "/docs", "/redoc", "/static/favicon.png"])
def test_pages_and_files_ignore_parameters(path: str) -> None:
    assert ask("GET", f"{path}?v=2").status_code == 200


@pytest.mark.parametrize(
    "path", ["/models/m?", "/metadata?model_id=m&", "/predict/test?model_id=m&"]
)
def test_a_data_set_only_goes_with_latest(path: str) -> None:
    assert refused("GET", f"{path}dataset_id=d")["field"] == "dataset_id"
