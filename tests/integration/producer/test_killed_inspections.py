"""A child that inspects an upload is killed from outside: nobody is blamed, and nothing is left."""

import asyncio
import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import httpx2
import pandas as pd
import pytest
import sqlalchemy as sa
from fastapi import FastAPI

from app.database.tables import metadata
from app.models.manifest import OnnxManifest
from app.models.record import StoredFile
from tests.support import graphs
from tests.support.application import application
from tests.support.killed import killed
from tests.support.mlflow_folders import columns, folder

Send = Callable[..., httpx2.Response]


def table() -> bytes:
    file = io.BytesIO()
    pd.DataFrame({"a": [1.0], "b": [2.0]}).to_parquet(file)
    return file.getvalue()


def put_data(send: Send) -> httpx2.Response:
    return send("PUT", "/datasets/d", content=table())


def put_csv(send: Send) -> None:
    assert send("PUT", "/datasets/d", content=b"a,b\n1,2\n").status_code == 201


def describe(send: Send) -> httpx2.Response:
    return send("GET", "/datasets/d")


def put_model(send: Send) -> httpx2.Response:
    form = {"data": {"manifest": json.dumps(graphs.LINEAR)}, "files": {"model": graphs.linear()}}
    return send("PUT", "/models/m", **form)


def put_folder(send: Send) -> httpx2.Response:
    content = folder(graphs.linear(), columns("a", "b"))
    return send("PUT", "/models/m", content=content, headers={"Content-Type": "application/zip"})


def score(send: Send) -> httpx2.Response:
    headers = {"Idempotency-Key": "once"}
    asked = {"model_id": "linear"}
    return send("POST", "/predict/batch", params=asked, content=table(), headers=headers)


def nothing(_: Send) -> None:
    """Need nothing before."""


class Door(NamedTuple):
    """A request whose file a child looks at, the status without a fault, and what comes before."""

    module: str
    send: Callable[[Send], httpx2.Response]
    status: int
    before: Callable[[Send], None] = nothing


DOORS = {
    "data": Door("app.tables.inspection_child", put_data, 201),
    "description": Door("app.datasets.description_child", describe, 200, put_csv),
    "model": Door("app.inference.inspection_child", put_model, 201),
    "folder": Door("app.mlflow.import_child", put_folder, 201),
    "batch": Door("app.tables.inspection_child", score, 202),
}


@pytest.fixture
def app(sqlite_url: str, s3_server: Any, bucket: str) -> Iterator[FastAPI]:
    s3 = {key.lower(): value for key, value in s3_server.s3.settings().items()}
    with application(sqlite_url, **s3 | {"s3_bucket_name": bucket}) as made:
        spec = OnnxManifest.model_validate(graphs.LINEAR)
        made.state.services.models.register("linear", spec, StoredFile("key", "sha256"))
        yield made


@pytest.fixture
def send(app: FastAPI) -> Send:
    def request(method: str, path: str, **more: Any) -> httpx2.Response:
        async def ask() -> httpx2.Response:
            transport = httpx2.ASGITransport(app)
            async with httpx2.AsyncClient(
                transport=transport, base_url="http://localhost"
            ) as client:
                return await client.request(method, path, **more)

        return asyncio.run(ask())

    return request


def stored(app: FastAPI) -> dict[str, Any]:
    """Return the keys in S3, and how many rows each table has."""
    services = app.state.services
    with services.jobs.engine.connect() as connection:
        rows = {
            name: connection.scalar(sa.select(sa.func.count()).select_from(each))
            for name, each in metadata.tables.items()
            if name not in ("audit", "loose_files")  # what was begun, and what is to be deleted
        }
    pages = services.s3.boto.get_paginator("list_objects_v2")
    found = pages.paginate(Bucket=services.settings.s3_bucket_name)
    return {"keys": [each["Key"] for page in found for each in page.get("Contents", ())], **rows}


@pytest.mark.parametrize("name", DOORS)
def test_a_killed_inspection_is_a_503_and_leaves_nothing(
    app: FastAPI, send: Send, name: str, tmp_path: Path
) -> None:
    door = DOORS[name]
    door.before(send)
    before = stored(app)

    with killed(door.module, tmp_path):
        refused = door.send(send)

    assert refused.status_code == 503, refused.text
    assert refused.headers["retry-after"] == "5"
    told = refused.json()
    assert told["detail"].endswith("the file is not at fault, so try again later")
    assert "field" not in told
    assert stored(app) == before
    again = door.send(send)
    assert again.status_code == door.status, again.text
