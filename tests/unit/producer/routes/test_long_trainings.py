"""A training that asks for more time than others have needs a scope of its own."""

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI

from app.auth.api_key import NewKey
from app.auth.identity import Scope
from app.auth.store import create_key
from app.producer.schemas.requests import TrainBody
from tests.support.application import application

DEFAULT = 3600


@pytest.fixture
def app(sqlite_url: str) -> Iterator[FastAPI]:
    """An application that asks for keys; its S3 is away."""
    with application(sqlite_url, auth="on", fit_default_seconds=DEFAULT) as made:
        yield made


def train(app: FastAPI, seconds: float, *scopes: Scope) -> httpx2.Response:
    """Ask for a training of so many seconds, with a key of these scopes."""
    new = NewKey(name="n", owner="team", scopes=list(scopes))
    _, key = create_key(app.state.services.jobs.engine, new)
    app.state.keys.refresh()
    body: dict[str, Any] = {**json.loads(TrainBody.EXAMPLE), "max_seconds": seconds}

    async def ask() -> httpx2.Response:
        transport = httpx2.ASGITransport(app, raise_app_exceptions=False)
        async with httpx2.AsyncClient(transport=transport, base_url="http://localhost") as http:
            headers = {"Authorization": f"Bearer {key}"}
            return await http.post("/train", json=body, headers=headers)

    return asyncio.run(ask())


def test_a_long_training_needs_its_scope(app: FastAPI) -> None:
    answer = train(app, DEFAULT + 1, Scope.TRAIN)

    assert answer.status_code == 403
    problem = answer.json()
    assert problem["field"] == "max_seconds"
    assert problem["scopes"] == ["long"]
    assert problem["detail"] == (
        "max_seconds: 3601 needs the scope long; without it a fit takes at most 3600 seconds"
    )


@pytest.mark.parametrize(
    ("seconds", "scopes"),
    [(DEFAULT, (Scope.TRAIN,)), (DEFAULT + 1, (Scope.TRAIN, Scope.LONG))],
)
def test_a_training_within_its_scopes_goes_on(
    app: FastAPI, seconds: float, scopes: tuple[Scope, ...]
) -> None:
    assert train(app, seconds, *scopes).status_code not in (401, 403, 422)


def test_the_scope_alone_trains_nothing(app: FastAPI) -> None:
    answer = train(app, 1, Scope.LONG)

    assert answer.status_code == 403
    assert answer.json()["scopes"] == ["train"]
