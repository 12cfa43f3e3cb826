"""What a consumer replies, and what it rejects: a contract with clients in any language."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from devstack.demo import ROW, TRAIN
from tests.system.conftest import Running
from tests.system.support.amqp import DIRECT
from tests.system.support.client import PREDICTION, RMSE
from tests.system.support.golden import Caller, taken
from tests.system.support.thinking import Remote, remote

SETTINGS = {"INVOKE_HOSTS": "127.0.0.1"}
JSON = "application/json"
LINES = "application/x-ndjson"
COMPLETED = {"content_type": JSON, "correlation_id": "<mine>", "type": "TASK_COMPLETED"}
RECEIVED = {**COMPLETED, "type": "TASK_RECEIVED"}
ERROR = {**COMPLETED, "type": "TASK_ERROR"}


@pytest.fixture
def caller(running: Running) -> Iterator[Caller]:
    with running.stack.amqp() as connection:
        yield Caller(connection)


@pytest.fixture(scope="module")
def far() -> Iterator[Remote]:
    with remote() as made:
        yield made


@pytest.fixture(scope="module")
def endpoint(running: Running, far: Remote) -> str:
    """A model that is called elsewhere."""
    spec = {"kind": "endpoint", "url": far.url, "seconds": 45}
    assert running.http.put("/models/far", json=spec).status_code == 201
    return "far"


class Words:
    """Any sentence: what an error says is for people, and may be said better."""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, str) and bool(other)

    __hash__ = None


def error(model_id: str | None, kind: str, **more: Any) -> dict[str, Any]:
    told = {"type": kind, "detail": Words(), **more}
    return {"status": "TASK_ERROR", "model_id": model_id, "error": told}


def rejected(caller: Caller, queue: str, **properties: str) -> bytes:
    """Take the dead letter that was rejected in a queue; return its body."""
    letter = taken(caller.channel, "queue.model.dead")
    found = letter.properties(mine=caller.corr_id, callback=caller.callback_queue)
    headers = found.pop("headers")
    assert found == {"correlation_id": "<mine>", "reply_to": "<callback>", **properties}
    assert {name: headers[name] for name in headers if name.startswith("x-first-death")} == {
        "x-first-death-exchange": "",
        "x-first-death-queue": queue,
        "x-first-death-reason": "rejected",
    }
    return letter.body


def test_a_training_that_completes(caller: Caller, model_id: str) -> None:
    received, completed = caller.call("queue.model.train", TRAIN, count=2)

    mine = received.json["model_id"]
    assert received.json == {"status": "TASK_RECEIVED", "model_id": mine}
    assert received.properties(mine=caller.corr_id) == RECEIVED
    metrics = {
        "rmse": pytest.approx(RMSE, abs=0.005),
        "mae": pytest.approx(43.143, abs=0.005),
        "r2": pytest.approx(0.4698, abs=0.0005),
    }
    assert completed.json == {"status": "TASK_COMPLETED", "model_id": mine, "metrics": metrics}
    assert completed.properties(mine=caller.corr_id) == COMPLETED


def test_a_training_that_fails(caller: Caller, model_id: str) -> None:
    asked = {**TRAIN, "dataset_id": "nowhere", "model_id": "fails"}
    received, failed = caller.call("queue.model.train", asked, count=2)

    assert received.json == {"status": "TASK_RECEIVED", "model_id": "fails"}
    assert received.properties(mine=caller.corr_id) == RECEIVED
    assert failed.json == error("fails", "not_found", field="dataset_id")
    assert failed.properties(mine=caller.corr_id) == ERROR


@pytest.mark.parametrize("callback_queue", ["", DIRECT], ids=["queue", "direct"])
def test_a_prediction(callback_queue: str, running: Running, model_id: str) -> None:
    with running.stack.amqp() as connection:
        caller = Caller(connection, callback_queue)
        asked = {"model_id": model_id, "input_data": ROW}
        (reply,) = caller.call("queue.model.predict", asked)

    value = pytest.approx(PREDICTION, abs=0.00005)
    predicted = {"prediction": value, "pred_proba": value}
    assert reply.json == {"status": "TASK_COMPLETED", "model_id": model_id, **predicted}
    assert reply.properties(mine=caller.corr_id) == COMPLETED


def test_predictions_in_lines_of_which_some_are_bad(caller: Caller, model_id: str) -> None:
    good, bad_row = (
        {"model_id": model_id, "input_data": row} for row in ([ROW], {**ROW, "age": "old"})
    )
    asked = b"\n".join([json.dumps(good).encode(), b"no JSON", json.dumps(bad_row).encode()])
    (reply,) = caller.call("queue.model.predict", asked, content_type=LINES)

    value = [pytest.approx(PREDICTION, abs=0.00005)]
    predicted = {"prediction": value, "pred_proba": value}
    assert reply.lines == [
        {"status": "TASK_COMPLETED", "model_id": model_id, **predicted},
        error(None, "malformed", field="body"),
        error(model_id, "invalid", field="input_data.age"),
    ]
    assert reply.properties(mine=caller.corr_id) == {
        "content_type": LINES,
        "correlation_id": "<mine>",
    }
    assert rejected(caller, "queue.model.predict", content_type=LINES) == asked


FIELDS = {
    "queue.model.train": "dataset_id",
    "queue.model.predict": "input_data",
    "queue.model.invoke": "input_data",
}


@pytest.mark.parametrize(("queue", "field"), FIELDS.items(), ids=FIELDS)
def test_an_invalid_request(queue: str, field: str, caller: Caller) -> None:
    (reply,) = caller.call(queue, {"model_id": "m"})

    assert reply.json == error(None, "invalid", field=field)
    assert reply.properties(mine=caller.corr_id) == ERROR
    assert rejected(caller, queue) == b'{"model_id": "m"}'


def test_a_job_that_nobody_knows(caller: Caller) -> None:
    queue = "queue.model.predict.async"
    (reply,) = caller.call(queue, {"job_id": "nobody"}, message_id="nobody")

    assert reply.json == error(None, "not_found", field="message_id")
    assert reply.properties(mine=caller.corr_id) == ERROR
    assert rejected(caller, queue, message_id="nobody") == b'{"job_id": "nobody"}'


def test_a_model_that_answers_elsewhere(caller: Caller, endpoint: str) -> None:
    (reply,) = caller.call("queue.model.predict", {"model_id": endpoint, "input_data": ROW})

    where = {"field": "model_id", "queue": "queue.model.invoke", "seconds": 45.0}
    assert reply.json == error(endpoint, "elsewhere", **where)
    assert reply.properties(mine=caller.corr_id) == ERROR


def test_a_call_of_a_remote_model(caller: Caller, endpoint: str) -> None:
    (reply,) = caller.call("queue.model.invoke", {"model_id": endpoint, "input_data": ROW})

    predicted = {"prediction": 7.5}
    assert reply.json == {"status": "TASK_COMPLETED", "model_id": endpoint, **predicted}
    assert reply.properties(mine=caller.corr_id) == COMPLETED


def test_a_call_of_a_remote_model_that_is_not_there(caller: Caller, endpoint: str) -> None:
    (reply,) = caller.call("queue.model.invoke", {"model_id": "nobody", "input_data": ROW})

    assert reply.json == error("nobody", "not_found", field="model_id")
    assert reply.properties(mine=caller.corr_id) == ERROR
