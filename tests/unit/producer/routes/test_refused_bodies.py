"""What every JSON door of HTTP says to a body that it refuses."""

import asyncio
import json
from types import SimpleNamespace
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI

from app.producer.admission import AdmissionControl
from app.producer.answers import problems
from app.producer.routes import predict, predict_async, predict_parallel, train
from app.producer.schemas.requests import (
    AsyncBody,
    ParallelBody,
    PredictBody,
    SyncAsyncBody,
    TrainBody,
)
from app.settings import Settings
from tests.support.refused import (
    NOT_JSON,
    PREDICTIONS,
    ROW,
    TRAIN,
    TRAININGS,
    UNKNOWN_KEYS,
    WRAPPED,
)
from tests.support.words import foreign_words

DOORS = {
    "/predict": PredictBody.EXAMPLE,
    "/predict/async": AsyncBody.EXAMPLE,
    "/predict/parallel": ParallelBody.EXAMPLE,
    "/predict/sync_async": SyncAsyncBody.EXAMPLE,
    "/train": TrainBody.EXAMPLE,
}


@pytest.fixture(scope="module")
def post():
    """Post a body to a path, and return the problem; no services are behind the routes."""
    app = FastAPI()
    problems.install(app)
    for each in (predict, predict_async, predict_parallel, train):
        app.include_router(each.router)
    app.state.services = SimpleNamespace(
        in_flight=AdmissionControl(1, 10**9), settings=Settings(_env_file=None), jobs=None
    )

    def send(path: str, body: Any) -> dict[str, Any]:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()

        async def ask() -> httpx2.Response:
            transport = httpx2.ASGITransport(app)
            async with httpx2.AsyncClient(
                transport=transport, base_url="http://localhost"
            ) as client:
                headers = {"Content-Type": "application/json"}
                return await client.post(path, content=content, headers=headers)

        answer = asyncio.run(ask())
        assert answer.status_code == 422
        problem: dict[str, Any] = answer.json()
        sent = content.decode(errors="replace")
        assert not foreign_words(problem["detail"], sent)
        assert len(problem["detail"]) < 1500
        return problem

    return send


@pytest.mark.parametrize("path", DOORS)
@pytest.mark.parametrize(("body", "said"), WRAPPED, ids=[said for _, said in WRAPPED])
def test_the_wrapper_that_was_sent_is_recognised(post, path, body, said):
    problem = post(path, body)

    assert problem["type"] == "invalid"
    assert problem["field"] == "body"
    assert said in problem["detail"]
    assert problem["detail"].endswith(f"; send an object like {DOORS[path]}")


@pytest.mark.parametrize(
    ("path", "body", "said"),
    [(path, *each) for path in DOORS for each in NOT_JSON if each[0] or path != "/train"],
)
def test_what_is_no_json_is_told_why(post, path, body, said):
    problem = post(path, body)

    assert problem["type"] == "malformed"
    assert problem["field"] == "body"
    assert said in problem["detail"]


def test_a_training_without_a_body_is_refused(post):
    detail = post("/train", b"")["detail"]

    assert detail.startswith("body: is missing, or null; send an object like ")


@pytest.mark.parametrize("path", ["/predict", "/predict/async"])
@pytest.mark.parametrize(("body", "field", "said"), PREDICTIONS)
def test_a_prediction_is_refused_with_the_remedy(post, path, body, field, said):
    problem = post(path, body)

    assert problem["field"] == field
    assert said in problem["detail"]


@pytest.mark.parametrize("path", ["/predict", "/predict/async", "/predict/parallel"])
@pytest.mark.parametrize(("more", "field", "said"), UNKNOWN_KEYS, ids=range(len(UNKNOWN_KEYS)))
def test_a_key_that_is_not_known_is_told_what_is_near(post, path, more, field, said):
    problem = post(path, {**json.loads(DOORS[path]), **more})

    assert problem["field"] == field
    assert said in problem["detail"]


@pytest.mark.parametrize(("body", "field", "said"), TRAININGS)
def test_a_training_is_refused_with_the_remedy(post, body, field, said):
    problem = post("/train", body)

    assert problem["field"] == field
    assert said in problem["detail"]


@pytest.mark.parametrize(
    ("path", "body", "field", "said"),
    [
        ("/predict/parallel", {"model_id": "m", "input_data": ROW}, "model_ids", "model_id"),
        ("/predict/parallel", {"model_ids": "m", "input_data": ROW}, "model_ids", "be a list"),
        (
            "/predict/parallel",
            {"model_ids": ["m"], "input_data": ROW, "combine": "avg"},
            "combine",
            'must be "mean", "vote" or "max_proba"',
        ),
        (
            "/predict/sync_async",
            {"sync_model": "m", "async_model_id": "m", "input_data": ROW},
            "sync_model_id",
            'is missing; you sent "sync_model"',
        ),
        ("/train", {**json.loads(TRAIN), "param": {}}, "param", 'did you mean "params"?'),
    ],
)
def test_other_doors_name_what_is_near(post, path, body, field, said):
    problem = post(path, body)

    assert problem["field"] == field
    assert said in problem["detail"]
