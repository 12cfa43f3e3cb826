"""Every type of error, and the HTTP status it is answered with."""

import asyncio
from collections.abc import Iterator

import httpx2
import pytest
from fastapi import FastAPI

from app.errors import WarrenError
from app.producer.answers.problems import install
from app.protocol.wire_errors import error_from_wire

STATUSES = {
    "internal": 500,
    "invalid": 422,
    "malformed": 422,
    "unsupported": 415,
    "bad_data": 422,
    "elsewhere": 422,
    "unauthenticated": 401,
    "forbidden": 403,
    "not_found": 404,
    "gone": 410,
    "not_ready": 409,
    "ended": 409,
    "conflict": 409,
    "too_large": 413,
    "fit_failed": 502,
    "out_of_memory": 422,
    "out_of_time": 422,
    "model_out_of_memory": 422,
    "quarantined": 422,
    "rate_limited": 429,
    "quota_exceeded": 429,
    "storage_full": 507,
    "fenced": 500,
    "interrupted": 503,
    "misdirected": 421,
    "foreign_origin": 403,
    "corrupt": 502,
    "unavailable": 503,
    "child_killed": 503,
    "child_lost": 503,
    "model_lost": 503,
    "consumer_lost": 503,
    "overloaded": 503,
    "broker_unavailable": 503,
    "unroutable": 503,
    "storage_unavailable": 503,
    "database_unavailable": 503,
    "endpoint_unavailable": 503,
    "endpoint_failed": 502,
    "endpoint_lost": 502,
    "deadline_exceeded": 504,
}


def tree(cls: type[WarrenError] = WarrenError) -> Iterator[type[WarrenError]]:
    yield cls
    for each in cls.__subclasses__():
        yield from tree(each)


CLASSES = [cls for cls in tree() if "type" in vars(cls) and cls.__module__.startswith("app.")]


def test_the_table_has_every_type_once_and_no_other() -> None:
    assert sorted(cls.type for cls in CLASSES) == sorted(STATUSES)


@pytest.mark.parametrize("cls", CLASSES, ids=[cls.type for cls in CLASSES])
def test_an_error_is_answered_with_its_status_as_a_problem(cls: type[WarrenError]) -> None:
    app = FastAPI()
    install(app)

    @app.get("/")
    async def fail() -> None:
        raise error_from_wire({"type": cls.type, "detail": "what happened", "field": "features"})

    async def ask() -> httpx2.Response:
        transport = httpx2.ASGITransport(app)
        async with httpx2.AsyncClient(transport=transport, base_url="http://localhost") as client:
            return await client.get("/")

    answer = asyncio.run(ask())

    status = STATUSES[cls.type]
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem.pop("title")
    assert problem == {
        "type": cls.type,
        "status": status,
        "detail": "what happened",
        "field": "features",
    }
    assert answer.headers.get("retry-after") == ("5" if status in (429, 503) else None)
