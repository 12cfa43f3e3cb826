"""`POST /predict/parallel` of models behind somebody's HTTP, with all that is between."""

from collections.abc import Iterator
from typing import Any

import httpx2
import pytest

from devstack.demo import ROW
from tests.support.endpoints import Stranger
from tests.system.conftest import Running
from tests.system.support.client import is_problem, trained, upload
from tests.system.support.processes import Stack

NUMBER = {"value": 7.0}


@pytest.fixture(scope="module")
def stranger() -> Iterator[Stranger]:
    with Stranger() as started:
        yield started


@pytest.fixture(scope="module")
def running(world: Stack, stranger: Stranger) -> Running:
    """A Warren that may call the stranger."""
    settings = {"INVOKE_HOSTS": f"{stranger.host},127.0.0.1:1"}
    producer, consumer, http = world.pair(**settings)
    consumer.says("waiting on queue.model.invoke")
    return Running(world, producer, consumer, http)


def registered(http: httpx2.Client, model_id: str, url: str, **spec: Any) -> str:
    answer = http.put(f"/models/{model_id}", json={"kind": "endpoint", "url": url, **spec})
    assert answer.is_success, answer.text
    return model_id


@pytest.fixture(scope="module")
def thinkers(running: Running, stranger: Stranger) -> list[str]:
    return [
        registered(running.http, f"thinks-{seconds}", f"{stranger.url}/together/{seconds}")
        for seconds in ("1.0", "1.5", "2.0")
    ]


def asked(http: httpx2.Client, model_ids: list[str], **more: Any) -> dict[str, Any]:
    body = {"model_ids": model_ids, "input_data": NUMBER, **more}
    answer = http.post("/predict/parallel", json=body)
    assert answer.status_code == 200, answer.text
    return dict(answer.json()["message"])


def test_three_are_asked_at_a_time_and_each_may_think_as_long_as_it_likes(
    running: Running, thinkers: list[str]
) -> None:
    message = asked(running.http, thinkers, combine="mean", job_id="three")
    assert [each["prediction"] for each in message["answers"]] == [7.0] * 3
    for answer, seconds in zip(message["answers"], (1.0, 1.5, 2.0), strict=True):
        assert seconds * 1000 - 10 <= answer["elapsed_ms"] <= message["elapsed_ms"]
    assert message["combined"]["prediction"] == 7.0
    for name in thinkers:
        running.consumer.says(f"[three] START invoke model={name}")
        running.consumer.says(f"[three] END invoke model={name} TASK_COMPLETED")


def test_one_that_is_dead_and_one_that_is_late_spoil_no_other(
    running: Running, stranger: Stranger
) -> None:
    http = running.http
    well = registered(http, "well", f"{stranger.url}/think/1.0")
    dead = registered(http, "dead", "http://127.0.0.1:1/")
    late = registered(http, "late", f"{stranger.url}/think/5", seconds=0.5)
    good, refused, missed = asked(http, [well, dead, late])["answers"]
    assert good["status"] == "TASK_COMPLETED"
    assert refused["error"]["type"] == "endpoint_unavailable"
    assert missed["error"]["type"] == "deadline_exceeded"

    body = {"model_ids": [dead, late], "input_data": NUMBER}
    problem = is_problem(http.post("/predict/parallel", json=body), 503)
    assert [each["error"]["type"] for each in problem["answers"]] == [
        "endpoint_unavailable",
        "deadline_exceeded",
    ]
    health = http.get("/health/all")
    models = health.json()["models"]
    assert {name: models[name]["state"] for name in (well, dead, late)} == {
        well: "ok",
        dead: "ng",
        late: "ng",
    }
    assert health.status_code == 200


def test_one_that_was_trained_here_and_one_that_was_not_answer_side_by_side(
    running: Running, stranger: Stranger
) -> None:
    upload(running.http)
    here = trained(running.http)
    there = registered(running.http, "there", f"{stranger.url}/ok")
    one, two = asked(running.http, [here, there], input_data=ROW)["answers"]
    assert one["model_id"] == here
    assert two["prediction"] == ROW["age"]
