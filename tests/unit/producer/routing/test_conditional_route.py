"""RFC 9110, sections 8.8 and 13: a client that has the answer already gets a 304."""

from typing import Any

import pytest
from fastapi import APIRouter, FastAPI, Response

from app.producer.routing.conditional_route import ConditionalRoute
from app.producer.routing.fallback import Fallback
from tests.unit.producer.answers.test_problems import Client

DATE = "Sat, 28 Nov 2026 12:00:00 GMT"
EARLIER, LATER = DATE.replace("12:00:00", "11:59:59"), DATE.replace("12:00:00", "12:00:01")
OTHER = '"0123456789abcdef0123456789abcdef"'


@pytest.fixture
def client() -> Client:
    app, router = FastAPI(), APIRouter(route_class=ConditionalRoute)

    @router.get("/thing")
    async def thing(response: Response, number: int = 1) -> dict[str, Any]:
        response.headers["Last-Modified"] = DATE
        return {"number": number}

    @router.get("/own")
    async def own(response: Response, number: int = 1) -> dict[str, Any]:
        response.headers["ETag"] = '"v1"'
        return {"number": number}

    @router.post("/thing")
    async def make() -> dict[str, Any]:
        return {"number": 1}

    app.include_router(router)
    app.router.routes.append(Fallback(app.router))
    return Client(app)


def test_the_tag_is_that_of_the_answer(client: Client) -> None:
    first, same, other = (client("GET", f"/thing?number={n}") for n in (1, 1, 2))

    assert first.headers["etag"] == same.headers["etag"] != other.headers["etag"]
    assert first.headers["cache-control"] == "no-cache"


def test_the_tag_begins_with_that_of_the_endpoint_and_differs_with_the_answer(
    client: Client,
) -> None:
    first, other = (client("GET", f"/own?number={n}").headers["etag"] for n in (1, 2))

    assert first != other
    assert [tag.partition(".")[0] for tag in (first, other)] == ['"v1', '"v1']
    assert client("GET", "/own", headers={"If-None-Match": first}).status_code == 304


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"If-None-Match": "{tag}"}, 304),
        ({"If-None-Match": "W/{tag}"}, 304),
        ({"If-None-Match": OTHER + " ,W/{tag}"}, 304),
        ({"If-None-Match": "*"}, 304),
        ({"If-None-Match": OTHER}, 200),
        ({"If-None-Match": '"*"'}, 200),
        ({"If-None-Match": "W/" + OTHER}, 200),
        ({"If-None-Match": '"'}, 200),
        ({"If-None-Match": ","}, 200),
        ({"If-Modified-Since": DATE}, 304),
        ({"If-Modified-Since": LATER}, 304),
        ({"If-Modified-Since": EARLIER}, 200),
        ({"If-Modified-Since": "yesterday"}, 200),
        ({"If-Modified-Since": LATER, "If-None-Match": OTHER}, 200),
        ({"If-Modified-Since": EARLIER, "If-None-Match": "{tag}"}, 304),
    ],
    ids=str,
)
def test_a_client_that_has_the_answer_gets_no_second_one(
    client: Client, headers: dict[str, str], status: int, method: str
) -> None:
    tag = client("GET", "/thing").headers["etag"]
    sent = {name: value.format(tag=tag) for name, value in headers.items()}

    answer = client(method, "/thing", headers=sent)

    assert answer.status_code == status
    assert answer.headers["etag"] == tag
    assert answer.headers["cache-control"] == "no-cache"
    assert bool(answer.content) == (status == 200 and method == "GET")


def test_tags_may_come_in_several_lines(client: Client) -> None:
    tag = client("GET", "/thing").headers["etag"]
    lines = [("If-None-Match", OTHER), ("If-None-Match", tag)]
    assert client("GET", "/thing", headers=lines).status_code == 304


def test_other_methods_and_errors_have_no_tag(client: Client) -> None:
    for method, path, status in [("POST", "/thing", 200), ("GET", "/thing?number=x", 422)]:
        answer = client(method, path, headers={"If-None-Match": "*"})
        assert answer.status_code == status
        assert "etag" not in answer.headers
