"""A model that takes all memory or all time harms only those that ask it."""

import json
import sys
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import Any

import httpx2
import numpy as np
import pytest

from devstack.rabbitmq import Broker
from tests.support import graphs, harmful_graphs, hostile_graphs
from tests.system.conftest import Running
from tests.system.support.client import (
    ENDLESS,
    PREDICTION,
    is_problem,
    job,
    predict,
    reached,
    train,
    trained,
    upload,
)
from tests.system.support.memory import Peaks, peak, share
from tests.system.support.processes import Process, Stack, until

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="reads /proc"),
]

PREDICT_QUEUE = "queue.model.predict"
GROWTH = 150_000_000  # of a consumer, by what it holds for the requests
CHILD = 1_200_000_000  # of a process that answers, with its libraries
BOXES, SIDE = 200_000, 55_000  # minutes; 12 GB
BUDGET, HUNGRY_SIDE = 1_000_000_000, 10_000  # 400 MB


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(16) as made:
        yield made


@pytest.fixture(scope="module")
def http(running: Running, model_id: str) -> httpx2.Client:
    for name, file in [
        ("linear", graphs.linear()),
        ("greedy", hostile_graphs.greedy()),
        ("quadratic", hostile_graphs.quadratic()),
        ("endless", harmful_graphs.endless(ends_at_zero=True)),
    ]:
        register(running.http, name, file)
    assert predict(running.http, model_id)["prediction"] == pytest.approx(PREDICTION, abs=0.01)
    return running.http


def register(http: httpx2.Client, name: str, file: bytes) -> None:
    answer = http.put(
        f"/models/{name}",
        data={"manifest": json.dumps(graphs.LINEAR)},
        files={"model": ("model.onnx", file)},
    )
    assert answer.status_code == 201, answer.text


def share_of(process: Process) -> int:
    return sum(map(share, process.family()))


def ask(http: httpx2.Client, name: str, a: float, b: float = 0) -> httpx2.Response:
    return http.post("/predict", json={"model_id": name, "input_data": {"a": a, "b": b}})


def are_answered(http: httpx2.Client, model_id: str) -> None:
    """Check that a trained model and an uploaded one answer."""
    for _ in range(10):
        assert predict(http, model_id)["prediction"] == pytest.approx(PREDICTION, abs=0.01)
        assert predict(http, "linear", {"a": 1, "b": 2})["prediction"] == 9.0


def test_gigabytes_at_a_request_end_only_the_process_of_the_model(
    http: httpx2.Client, running: Running, model_id: str, threads: ThreadPoolExecutor
) -> None:
    fit = train(http, **ENDLESS)
    reached(http, fit, "TASK_RUNNING")
    before = peak(running.consumer.pid)
    with Peaks(running.consumer) as peaks:
        asked = [threads.submit(ask, http, "greedy", a) for a in (0, SIDE, 1)]
        are_answered(http, model_id)
        small, large, other = (each.result() for each in asked)

    assert is_problem(large, 422)["type"] == "model_out_of_memory"
    assert (small.status_code, other.status_code) == (200, 200)
    assert peaks.own < before + GROWTH
    assert peaks.child < CHILD
    found = job(http, fit)
    assert (found["state"], found["attempt"]) == ("TASK_RUNNING", 1)
    http.delete(f"/jobs/{fit}")


def test_many_models_that_need_much_memory_take_turns(
    stack: Stack, threads: ThreadPoolExecutor
) -> None:
    _, consumer, http = stack.pair(MODEL_MEMORY=str(BUDGET))
    upload(http)
    model_id = trained(http)
    register(http, "linear", graphs.linear())
    names = [f"hungry-{n}" for n in range(12)]
    for name in names:
        register(http, name, hostile_graphs.greedy())
        assert ask(http, name, 1).status_code == 200
    before = share_of(consumer)

    with Peaks(consumer) as peaks:
        hungry = [threads.submit(ask, http, name, HUNGRY_SIDE) for name in names]
        are_answered(http, model_id)
        answers = [each.result() for each in hungry]

    statuses = [each.status_code for each in answers]
    assert 200 in statuses
    assert set(statuses) <= {200, 503}
    for each in answers:
        if each.status_code == 503:
            assert is_problem(each, 503)["type"] == "overloaded"
    assert peaks.together < before + BUDGET
    assert ask(http, names[0], HUNGRY_SIDE).status_code == 200


@pytest.mark.parametrize(("name", "value"), [("quadratic", BOXES), ("endless", 1)])
def test_a_run_without_end_is_a_504_and_others_are_answered_meanwhile(
    http: httpx2.Client,
    running: Running,
    model_id: str,
    threads: ThreadPoolExecutor,
    name: str,
    value: float,
) -> None:
    before = peak(running.consumer.pid)
    with Peaks(running.consumer) as peaks:
        hostile = [threads.submit(ask, http, name, value, value) for _ in range(4)]
        for _ in range(5):
            are_answered(http, model_id)
        assert not any(each.done() for each in hostile)
        answers = [each.result() for each in hostile]

    assert any("15 s" in is_problem(each, 504)["detail"] for each in answers)
    assert {each.status_code for each in answers} == {504}
    assert peaks.own < before + GROWTH
    assert peaks.child < CHILD


def test_loads_that_take_long_delay_no_other_load(
    http: httpx2.Client, running: Running, threads: ThreadPoolExecutor
) -> None:
    names = [f"slow-{n}" for n in range(4)]
    for name in names:
        register(http, name, hostile_graphs.slow_to_load(2))
    register(http, "cold", graphs.linear())

    slow: list[Future[httpx2.Response]]
    slow = [threads.submit(ask, http, name, 1, 2) for name in names]
    until(lambda: len(running.consumer.family()) > 1, "a process loads")

    assert predict(http, "cold", {"a": 1, "b": 2})["prediction"] == 9.0
    assert not any(each.done() for each in slow)
    for each in slow:
        assert each.result().status_code in (200, 503, 504)


def test_neighbours_of_many_rows_are_asked_for_many_rows(
    http: httpx2.Client, running: Running, model_id: str, threads: ThreadPoolExecutor
) -> None:
    numbers = np.random.default_rng(1).random((100_000, 3)).round(4)
    lines = "\n".join(",".join(map(str, row)) for row in numbers.tolist())
    upload(http, "many", f"a,b,y\n{lines}")
    of_many: dict[str, Any] = {"features": ["a", "b"], "target": "y"}
    neighbours = trained(http, dataset_id="many", estimator="knn_regressor", params={}, **of_many)
    before = peak(running.consumer.pid)

    def ask_for(rows: int) -> httpx2.Response:
        asked = {"model_id": neighbours, "input_data": [{"a": 0.5, "b": 0.5}] * rows}
        return http.post("/predict", json=asked)

    with Peaks(running.consumer) as peaks:
        asked = [threads.submit(ask_for, rows) for rows in (3000, 10_000, 1, 10_000)]
        are_answered(http, model_id)
        answers = [each.result() for each in asked]

    assert [each.status_code for each in answers] == [200] * 4
    assert peaks.own < before + GROWTH
    assert peaks.child < CHILD


def test_a_message_that_was_delivered_to_a_lost_consumer_is_answered_by_a_process(
    stack: Stack, broker: Broker, threads: ThreadPoolExecutor
) -> None:
    _, consumer, http = stack.pair()
    upload(http)
    model_id = trained(http)
    vhost = stack.environment["RABBITMQ_VHOST"]
    consumer.freeze()
    asked = threads.submit(predict, http, model_id)
    queue = partial(broker.api, "GET", f"queues/{vhost}/{PREDICT_QUEUE}")
    until(lambda: queue().get("messages_unacknowledged"), "it is delivered")
    consumer.kill()

    second = stack.consumer()

    assert asked.result()["prediction"] == pytest.approx(PREDICTION, abs=0.01)
    processes = second.family()
    predict(http, model_id)
    assert second.family() == processes
    assert len(processes) > 2  # itself, the server that forks, and the one that answered
