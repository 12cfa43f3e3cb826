"""The alias `latest`, however its owner names it."""

import asyncio
from collections.abc import Iterator

import httpx2
import pytest
from fastapi import FastAPI

from tests.support.application import application


@pytest.fixture
def app(sqlite_url) -> Iterator[FastAPI]:
    with application(sqlite_url, auth="off") as made:
        yield made


def send(app: FastAPI, method: str, path: str) -> httpx2.Response:
    async def ask() -> httpx2.Response:
        transport = httpx2.ASGITransport(app)
        async with httpx2.AsyncClient(transport=transport, base_url="http://localhost") as client:
            return await client.request(method, path)

    return asyncio.run(ask())


@pytest.mark.parametrize("name", ["latest", "default~latest"])
@pytest.mark.parametrize("path", ["/jobs", "/models"])
def test_nobody_deletes_what_is_another_thing_by_now(app: FastAPI, path: str, name: str) -> None:
    answer = send(app, "DELETE", f"{path}/{name}")

    assert answer.status_code == 422
    assert "latest may be another" in answer.json()["detail"]


@pytest.mark.parametrize("name", ["latest", "default~latest"])
def test_each_data_set_has_a_latest_model(app: FastAPI, name: str) -> None:
    answer = send(app, "GET", f"/models/{name}?dataset_id=data")

    assert answer.status_code == 404
    assert "there is no trained model on data set data" in answer.json()["detail"]
