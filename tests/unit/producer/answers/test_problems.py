import asyncio
import logging
from typing import Annotated

import httpx2
import pytest
from fastapi import FastAPI, Path, Query
from starlette.exceptions import HTTPException

from app import errors
from app.producer.answers import problems
from app.producer.jobs.idempotency import IdempotencyKey
from app.producer.schemas.requests import PREDICT_EXAMPLE, PredictBody, TrainBody
from app.producer.schemas.responses import Problem
from app.protocol.examples import TRAIN_EXAMPLE
from app.protocol.types import Id, JobStatus


class Client:
    """Asks an application of this process, without a server."""

    def __init__(self, app):
        self.app = app

    def __call__(self, method, path, **content):
        async def ask():
            # Starlette raises what it has answered with a 500 to the server, for its log.
            transport = httpx2.ASGITransport(self.app, raise_app_exceptions=False)
            async with httpx2.AsyncClient(
                transport=transport, base_url="http://localhost"
            ) as client:
                return await client.request(method, path, **content)

        return asyncio.run(ask())


def raising(error):
    """A client of an application that does nothing but raise this."""
    app = FastAPI()
    problems.install(app)

    @app.get("/")
    async def fail():
        raise error

    return Client(app)


@pytest.mark.parametrize("key", ["status", "title", "detail", "type", "kind"])
def test_what_a_reply_adds_changes_nothing_of_the_problem(key):
    error = errors.NotReady(None, "in training", **{key: "x"})

    problem = raising(error)("GET", "/").json()

    assert problem["status"] == 409
    assert problem["title"] == "Conflict"
    assert problem["detail"] == "in training"
    assert problem["type"] == "not_ready"
    Problem.model_validate(problem)


def test_a_bug_shows_nothing_of_itself_and_is_logged(caplog):
    with caplog.at_level(logging.ERROR):
        answer = raising(KeyError("password=hunter2"))("GET", "/")

    assert answer.status_code == 500
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["type"] == "internal"
    for secret in ("hunter2", "KeyError", "Traceback", ".py"):
        assert secret not in answer.text
    assert "hunter2" in caplog.text


def test_what_http_itself_refuses_is_a_problem_too():
    client = raising(errors.WarrenError())

    for answer, status in [(client("GET", "/nowhere"), 404), (client("POST", "/"), 405)]:
        assert answer.status_code == status
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["status"] == status
        assert answer.json()["type"] == "about:blank"


@pytest.mark.parametrize(
    ("status", "kind"), [(413, "too_large"), (422, "malformed"), (400, "about:blank")]
)
def test_an_error_of_reading_a_body_names_the_body(status, kind):
    problem = raising(HTTPException(status, "body: bad"))("GET", "/").json()

    assert problem["type"] == kind
    assert problem["detail"] == "body: bad"
    assert problem.get("field") == ("body" if status != 400 else None)


@pytest.fixture(scope="module")
def client():
    app = FastAPI()
    problems.install(app)

    @app.post("/train")
    async def train(body: TrainBody): ...

    @app.post("/predict")
    async def predict(body: PredictBody): ...

    @app.get("/jobs")
    async def jobs(
        limit: Annotated[int, Query(ge=1)],
        state: JobStatus | None = None,
        idempotency_key: IdempotencyKey = None,
    ): ...

    @app.get("/models/{model_id}")
    async def model(model_id: Annotated[Id, Path(examples=["iris"])]): ...

    return Client(app)


@pytest.mark.parametrize(
    ("path", "body", "field", "said"),
    [
        ("/train", {**TRAIN_EXAMPLE, "target": 1}, "target", "string"),
        ("/train", {**TRAIN_EXAMPLE, "target": "age"}, "target", "also among"),
        ("/train", {**TRAIN_EXAMPLE, "features": []}, "features", "must not be empty"),
        ("/train", {**TRAIN_EXAMPLE, "features": ["a", 1]}, "features.1", "string"),
        ("/train", {**TRAIN_EXAMPLE, "model_id": "m"}, "model_id", "this key is not known"),
        (
            "/train",
            {**TRAIN_EXAMPLE, "dataset_id": "../x"},
            "dataset_id",
            "begin with a letter or digit",
        ),
        ("/train", {}, "dataset_id", "is missing"),
        ("/train", [], "body", "must be an object"),
        ("/predict", {**PREDICT_EXAMPLE, "input_data": []}, "input_data", "must not be empty"),
        ("/predict", {**PREDICT_EXAMPLE, "input_data": [1]}, "input_data.0", "must be an object"),
        ("/predict", {**PREDICT_EXAMPLE, "rows": 1}, "rows", "this key is not known"),
    ],
)
def test_a_wrong_body_is_refused_by_the_name_of_the_field(client, path, body, field, said):
    answer = client("POST", path, json=body)

    assert answer.status_code == 422
    problem = answer.json()
    assert problem["type"] == "invalid"
    assert problem["field"] == field
    assert problem["detail"].startswith(f"{field}: ")
    assert said in problem["detail"]
    assert "Value error" not in problem["detail"]


def test_a_body_that_is_not_declared_as_json_is_told_how_to_be(client):
    answer = client(
        "POST", "/train", content=b"dataset_id=d", headers={"Content-Type": "text/plain"}
    )

    assert (answer.status_code, answer.json()["type"]) == (415, "unsupported")
    assert "Content-Type: application/json" in answer.json()["detail"]
    assert answer.headers["accept"] == "application/json"  # RFC 9110, 15.5.16


@pytest.mark.parametrize(
    ("path", "headers", "field", "detail"),
    [
        ("/jobs?limit=many", {}, "limit", 'limit: must be a whole number; you sent "many"'),
        ("/jobs?limit=1.5", {}, "limit", 'limit: must be a whole number; you sent "1.5"'),
        ("/jobs?limit=0", {}, "limit", 'limit: must be at least 1; you sent "0"'),
        ("/jobs", {}, "limit", "limit: is missing"),
        (
            "/jobs?limit=1&state=DONE",
            {},
            "state",
            'state: must be "TASK_RECEIVED", "TASK_QUEUED", "TASK_RUNNING", "TASK_COMPLETED", '
            '"TASK_ERROR" or "TASK_CANCELLED"; you sent "DONE"',
        ),
        (
            "/models/..x",
            {},
            "model_id",
            "model_id: use a string of letters, digits, underscores, dashes and single dots, at "
            'most 128 characters; begin with a letter or digit; you sent "..x"',
        ),
        (
            "/jobs?limit=1",
            {"Idempotency-Key": "a b"},
            "Idempotency-Key",
            "Idempotency-Key: use 1 to 255 printable ASCII characters and no spaces",
        ),
    ],
)
def test_a_wrong_parameter_is_refused_by_its_name(client, path, headers, field, detail):
    answer = client("GET", path, headers=headers)

    assert answer.status_code == 422
    assert answer.json()["field"] == field
    assert answer.json()["detail"] == detail


def test_the_examples_are_what_is_accepted(client):
    assert client("POST", "/train", json=TRAIN_EXAMPLE).status_code == 200
    assert client("POST", "/predict", json=PREDICT_EXAMPLE).status_code == 200
