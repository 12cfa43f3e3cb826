"""Models that answer elsewhere, as the producer sees them: how it asks, and what it counts."""

from collections.abc import Iterator
from typing import Any

import httpx2
import pytest

from app.amqp.topology import INVOKE_QUEUE, PREDICT_ASYNC_QUEUE, PREDICT_QUEUE
from devstack.demo import ROW
from tests.system.support.client import is_problem, predict
from tests.system.support.processes import CONSUMER, Stack
from tests.system.support.remote import SECONDS, Consumer

SETTINGS = {"PREDICT_TIMEOUT": "5"}


@pytest.fixture
def consumer(stack: Stack) -> Iterator[Consumer]:
    with Consumer(stack) as started:
        yield started


@pytest.fixture
def http(stack: Stack, consumer: Consumer) -> httpx2.Client:
    _, client = stack.producer(**SETTINGS)
    return client


def parallel(http: httpx2.Client, model_ids: list[str], **more: Any) -> dict[str, Any]:
    body = {"model_ids": model_ids, "input_data": ROW, **more}
    answer = http.post("/predict/parallel", json=body)
    assert answer.status_code == 200, answer.text
    return dict(answer.json()["message"])


def test_a_model_is_asked_where_it_answers_and_only_once_where_it_does_not(
    consumer: Consumer, http: httpx2.Client
) -> None:
    for _ in range(3):
        assert predict(http, "think-0")["model_id"] == "think-0"
        predict(http, "here")
    assert consumer.models(PREDICT_QUEUE) == ["think-0", "here", "here", "here"]
    assert consumer.models(INVOKE_QUEUE) == ["think-0"] * 3
    by_queue = dict(zip([name for name, _ in consumer.asked], consumer.expirations, strict=True))
    assert by_queue == {PREDICT_QUEUE: "5000", INVOKE_QUEUE: str(int(SECONDS * 1000))}


def test_many_models_are_asked_at_once_and_each_may_take_its_time(
    consumer: Consumer, http: httpx2.Client
) -> None:
    consumer.together = 3
    message = parallel(http, ["think-1.0", "think-1.5", "think-2.0"], combine="mean")
    assert [each["prediction"] for each in message["answers"]] == [1.0, 1.5, 2.0]
    assert message["combined"]["prediction"] == 1.5
    for answer, seconds in zip(message["answers"], (1.0, 1.5, 2.0), strict=True):
        assert seconds * 1000 - 10 <= answer["elapsed_ms"] <= message["elapsed_ms"]


def test_a_dead_or_silent_model_spoils_no_other(http: httpx2.Client) -> None:
    message = parallel(http, ["silent", "dead", "think-0.1", "here"], seconds=4.5, combine="mean")
    silent, dead, slow, quick = message["answers"]
    assert silent["error"]["type"] == "deadline_exceeded"
    assert 4490 <= silent["elapsed_ms"] < 10_000
    assert dead["error"] == {"type": "endpoint_unavailable", "detail": "it is dead"}
    assert dead["elapsed_ms"] < 4000
    assert (slow["prediction"], quick["prediction"]) == (0.1, 0.0)
    assert (message["combined"]["of"], message["combined"]["prediction"]) == (2, 0.05)


def test_the_models_in_use_are_shown_with_what_became_of_their_calls(http: httpx2.Client) -> None:
    assert http.get("/health/all").json()["models"] == {}
    for model_id in ("here", "here", "think-0.2"):
        predict(http, model_id)
    for model_id, status in (("dead", 503), ("dead", 503)):
        asked = {"model_id": model_id, "input_data": ROW}
        is_problem(http.post("/predict", json=asked), status)
    is_problem(http.post("/predict", json={"model_id": "here"}), 422)

    answer = http.get("/health/all")
    models = answer.json()["models"]
    assert set(models) == {"here", "think-0.2", "dead"}
    here, slow, dead = models["here"], models["think-0.2"], models["dead"]
    assert (here["state"], here["calls"], here["errors"]) == ("ok", 2, 0)
    assert "kind" not in here
    assert (slow["kind"], slow["state"]) == ("endpoint", "ok")
    assert slow["elapsed_ms"] >= 190
    assert (dead["kind"], dead["state"]) == ("endpoint", "ng")
    assert (dead["calls"], dead["errors"], dead["error"]) == (2, 2, "it is dead")
    assert all(0 <= each["seconds_ago"] < 60 for each in models.values())


def test_a_model_that_fails_does_not_take_the_producer_out_of_service(
    stack: Stack, consumer: Consumer, http: httpx2.Client
) -> None:
    asked = {"model_id": "dead", "input_data": ROW}
    is_problem(http.post("/predict", json=asked), 503)
    stack.consumer().says("waiting on queue.model.predict.async\n")  # now no queue lacks one
    answer = http.get("/health/all")
    assert answer.json()["models"]["dead"]["state"] == "ng"
    assert (answer.status_code, answer.json()["status"]) == (200, "ok")


def test_a_queue_without_a_consumer_is_named_and_is_no_good_health(
    stack: Stack, http: httpx2.Client
) -> None:
    command = (*CONSUMER[:-2], "--invoke", "0", *CONSUMER[-2:])
    stack.consumer(command)
    answer = http.get("/health/all")
    states = {name: each["status"] for name, each in answer.json()["checks"].items()}
    wrong = {name for name, state in states.items() if state != "ok"}
    assert (answer.status_code, wrong) == (
        503,
        {PREDICT_ASYNC_QUEUE},
    )  # the fixture serves the other
