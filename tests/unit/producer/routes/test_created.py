"""RFC 9110, 9.3.4: a PUT that makes what it names gets a 201."""

from collections.abc import Iterator
from typing import Any

import pytest
from fastapi import FastAPI

from tests.support.application import application
from tests.unit.producer.answers.test_problems import Client


@pytest.fixture
def app(sqlite_url: str) -> Iterator[FastAPI]:
    with application(sqlite_url) as made:
        yield made


@pytest.mark.parametrize(
    ("path", "body", "statuses"),
    [
        ("/models/named/aliases/next", {"version": 1}, [201, 200]),
        ("/models/named/shadow", {"alias": "champion", "version": 1, "share": 1}, [201, 200]),
        ("/models/remote/grants/blue", None, [201, 204]),
    ],
)
def test_what_is_new_is_created(
    app: FastAPI, path: str, body: dict[str, Any] | None, statuses: list[int]
) -> None:
    client = Client(app)
    client("DELETE", "/models/named/shadow")

    assert [client("PUT", path, json=body).status_code for _ in range(2)] == statuses
