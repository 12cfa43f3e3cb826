"""`POST /predict/parallel`: many models in one call."""

import json
import re
import socket
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx2
import pytest

from app.amqp.topology import PREDICT_QUEUE
from devstack.demo import ROW
from tests.system.conftest import Running
from tests.system.support import gated
from tests.system.support.client import (
    LONG,
    PREDICTION,
    is_problem,
    predict,
    train,
    trained,
    upload,
)
from tests.system.support.gated import HELD
from tests.system.support.processes import Stack, until

PLAIN_HTTP = True  # it speaks HTTP by itself

COMMAND = gated.COMMAND
COLOURS = "size,colour\n" + "1,red\n2,blue\n3,blue\n4,green\n" * 20
CLASSIFIER = {
    "dataset_id": "colours",
    "features": ["size"],
    "target": "colour",
    "estimator": "knn_classifier",
}


@pytest.fixture(scope="module")
def http(running: Running, model_id: str) -> httpx2.Client:
    return running.http


@pytest.fixture(scope="module")
def others(http: httpx2.Client) -> list[str]:
    """Two more models of the same data."""
    return [trained(http, estimator=name) for name in ("ridge", "linear_regression")]


@pytest.fixture(scope="module")
def classifiers(http: httpx2.Client) -> list[str]:
    upload(http, "colours", COLOURS)
    forest = {"estimator": "random_forest_classifier"}
    return [trained(http, **CLASSIFIER), trained(http, **CLASSIFIER | forest)]


def asked(http: httpx2.Client, model_ids: list[str], row: Any = ROW, **more: Any) -> dict[str, Any]:
    answer = http.post(
        "/predict/parallel", json={"model_ids": model_ids, "input_data": row, **more}
    )
    assert answer.status_code == 200, answer.text
    message = dict(answer.json()["message"])
    assert message["status"] == "TASK_COMPLETED"
    assert len(message["answers"]) == len(model_ids)
    assert all(each["elapsed_ms"] <= message["elapsed_ms"] for each in message["answers"])
    return message


def test_each_model_answers_in_the_order_asked_as_it_does_alone(
    running: Running, http: httpx2.Client, model_id: str, others: list[str]
) -> None:
    models = [others[1], model_id, others[0]]
    for row in (ROW, [ROW, {**ROW, "bmi": -0.05}]):
        message = asked(http, models, row)
        for name, answer in zip(models, message["answers"], strict=True):
            assert answer.pop("elapsed_ms") > 0
            assert answer == predict(http, name, row)
        assert "combined" not in message


def test_one_id_finds_the_call_and_each_of_its_models_in_all_logs(
    running: Running, http: httpx2.Client, model_id: str, others: list[str]
) -> None:
    for job_id in (asked(http, [model_id, *others])["job_id"], "my-own"):
        if job_id == "my-own":
            message = asked(http, [model_id, *others], job_id=job_id)
            assert message["job_id"] == job_id
        running.producer.says(f"[{job_id}] END parallel")
        assert re.search(
            rf"\[{job_id}\] START parallel models=3\n(.*\n)*.*"
            rf"\[{job_id}\] END parallel models=3 TASK_COMPLETED elapsed_ms=\d",
            running.producer.output(),
        )
        for name in (model_id, *others):
            running.consumer.says(f"[{job_id}] START predict model={name}")
            running.consumer.says(f"[{job_id}] END predict model={name} TASK_COMPLETED")


def test_a_model_that_cannot_answer_spoils_no_other(http: httpx2.Client, model_id: str) -> None:
    upload(http, HELD)
    training = train(http, dataset_id=HELD, **LONG)

    good, unknown, early = asked(http, [model_id, "nobody", training])["answers"]

    assert good["prediction"] == pytest.approx(PREDICTION, abs=1e-3)
    assert (unknown["model_id"], unknown["status"]) == ("nobody", "TASK_ERROR")
    assert (unknown["error"]["type"], unknown["error"]["field"]) == ("not_found", "model_id")
    assert (early["model_id"], early["status"]) == (training, "TASK_ERROR")
    assert early["error"]["type"] == "not_ready"
    assert early["error"]["state"] in ("TASK_QUEUED", "TASK_RUNNING")
    assert http.delete(f"/jobs/{training}").status_code == 200


def test_a_model_that_takes_other_rows_spoils_no_other(
    http: httpx2.Client, model_id: str, classifiers: list[str]
) -> None:
    good, bad = asked(http, [model_id, classifiers[0]])["answers"]
    assert good["status"] == "TASK_COMPLETED"
    assert bad["error"]["type"] == "invalid"
    assert bad["error"]["field"] == "input_data.size"


def test_when_all_fail_the_first_error_is_the_problem_and_has_all_answers(
    running: Running, http: httpx2.Client, model_id: str
) -> None:
    body = {"model_ids": ["nobody", model_id, "nowhere"], "input_data": {}, "job_id": "in-vain"}
    problem = is_problem(http.post("/predict/parallel", json=body), 404)
    assert problem["type"] == "not_found"
    assert "nobody" in problem["detail"]
    assert problem["job_id"] == "in-vain"
    assert [each["model_id"] for each in problem["answers"]] == body["model_ids"]
    kinds = [each["error"]["type"] for each in problem["answers"]]
    assert kinds == ["not_found", "invalid", "not_found"]
    running.producer.says("[in-vain] END parallel models=3 TASK_ERROR")

    body["model_ids"] = [model_id]
    assert is_problem(http.post("/predict/parallel", json=body), 422)["type"] == "invalid"


def test_a_model_that_stands_there_twice_is_asked_once_and_answers_twice(
    running: Running, http: httpx2.Client, model_id: str, others: list[str]
) -> None:
    models = [model_id, others[0], model_id]
    first, other, second = asked(http, models, job_id="twice", combine="mean")["answers"]
    assert first == second
    assert other["model_id"] == others[0]
    running.consumer.says(f"[twice] END predict model={others[0]}")
    running.consumer.says(f"[twice] END predict model={model_id}")
    assert running.consumer.output().count("[twice] START predict") == 2


def test_the_latest_answers_under_its_own_name(http: httpx2.Client, others: list[str]) -> None:
    (answer,) = asked(http, ["latest"], dataset_id="diabetes")["answers"]
    assert answer["model_id"] == others[-1]


def test_regressors_are_combined_by_their_mean(
    http: httpx2.Client, model_id: str, others: list[str]
) -> None:
    message = asked(http, [model_id, "nobody", *others], combine="mean")
    values = [each["prediction"] for each in message["answers"] if "prediction" in each]
    assert len(values) == 3
    mean = pytest.approx(sum(values) / 3)
    assert message["combined"] == {
        "status": "TASK_COMPLETED",
        "combine": "mean",
        "of": 3,
        "prediction": mean,
        "pred_proba": mean,
    }
    many = asked(http, [model_id, *others], [ROW] * 3, combine="mean")["combined"]
    assert many["prediction"] == [mean] * 3


def test_classifiers_are_combined_in_three_ways(
    http: httpx2.Client, classifiers: list[str]
) -> None:
    rows = [{"size": 1}, {"size": 4.2}]
    for row in (rows[0], rows):
        message = asked(http, classifiers, row, combine="mean")
        one, two = message["answers"]
        if row is rows:
            assert message["combined"]["prediction"] == ["red", "green"]
        else:
            assert message["combined"]["prediction"] == "red"
            assert message["combined"]["pred_proba"] == pytest.approx(
                {
                    name: (one["pred_proba"][name] + two["pred_proba"][name]) / 2
                    for name in ("red", "blue", "green")
                }
            )
    voted = asked(http, classifiers, rows, combine="vote")["combined"]
    assert (voted["of"], voted["prediction"]) == (2, ["red", "green"])
    assert voted["votes"] == [{"red": 2}, {"green": 2}]
    certain = asked(http, classifiers, rows[0], combine="max_proba")
    best = max(certain["answers"], key=lambda each: max(each["pred_proba"].values()))
    for name in ("prediction", "pred_proba", "model_id"):
        assert certain["combined"][name] == best[name]


@pytest.mark.parametrize("how", ["vote", "max_proba"])
def test_what_cannot_be_combined_is_an_error_of_the_combination_alone(
    http: httpx2.Client, model_id: str, others: list[str], how: str
) -> None:
    message = asked(http, [model_id, *others], combine=how)
    assert {each["status"] for each in message["answers"]} == {"TASK_COMPLETED"}
    combined = message["combined"]
    assert (combined["status"], combined["combine"], combined["of"]) == ("TASK_ERROR", how, 3)
    assert combined["error"]["type"] == "invalid"
    assert model_id in combined["error"]["detail"]


@pytest.mark.parametrize(
    ("changes", "status", "field"),
    [
        ({"model_ids": []}, 422, "model_ids"),
        ({"model_ids": ["m"] * 33}, 422, "model_ids"),
        ({"model_ids": "m"}, 422, "model_ids"),
        ({"model_ids": ["../m"]}, 422, "model_ids.0"),
        ({"model_ids": None}, 422, "model_ids"),
        ({"combine": "median"}, 422, "combine"),
        ({"seconds": 0}, 422, "seconds"),
        ({"seconds": "1"}, 422, "seconds"),
        ({"image_data": "x"}, 422, "input_data"),
        ({"input_data": []}, 422, "input_data"),
        ({"input_data": [{}] * 10_001}, 413, "input_data"),
        ({"job_id": "a b"}, 422, "job_id"),
        ({"model_id": "m"}, 422, "model_id"),
    ],
)
def test_a_bad_request_is_refused_and_says_what_is_wrong(
    http: httpx2.Client, changes: dict[str, Any], status: int, field: str
) -> None:
    body = {"model_ids": ["m"], "input_data": ROW, **changes}
    assert is_problem(http.post("/predict/parallel", json=body), status)["field"] == field


def test_what_is_no_json_is_refused(http: httpx2.Client) -> None:
    answer = http.post("/predict/parallel", content=b"{", headers={"Content-Type": "text/plain"})
    assert "Content-Type" in is_problem(answer, 415)["detail"]
    answer = http.post("/predict/parallel", json=[])
    is_problem(answer, 422)
    assert http.get("/predict/parallel").status_code == 405


def test_a_body_of_a_megabyte_goes_to_each_model(
    http: httpx2.Client, model_id: str, others: list[str]
) -> None:
    rows = [ROW] * 7000
    assert len(json.dumps(rows)) > 1_000_000
    models = [model_id, *others]
    message = asked(http, models, rows, combine="mean")
    assert [len(each["prediction"]) for each in message["answers"]] == [7000] * 3
    values = [each["prediction"][-1] for each in message["answers"]]
    assert message["combined"]["prediction"][-1] == pytest.approx(sum(values) / 3)


def test_a_call_is_bounded_by_what_it_becomes(http: httpx2.Client) -> None:
    rows = [ROW] * 10_000
    body = {"model_ids": [f"m{number}" for number in range(32)], "input_data": rows}
    problem = is_problem(http.post("/predict/parallel", json=body), 413)
    assert problem["field"] == "body"
    assert problem["limit"] == 32_000_000

    # Short numbers that are long when they are written in full.
    text = '{"model_ids": ["m"], "input_data": {"a": [' + ",".join(["1e15"] * 700_000) + "]}}"
    answer = http.post(
        "/predict/parallel", content=text, headers={"Content-Type": "application/json"}
    )
    assert is_problem(answer, 413)["type"] == "too_large"
    assert http.get("/health").status_code == 200


def test_a_branch_has_no_longer_than_the_caller_says(
    running: Running, http: httpx2.Client, model_id: str, others: list[str]
) -> None:
    running.consumer.freeze()
    try:
        body = {"model_ids": [model_id, others[0]], "input_data": ROW, "seconds": 0.3}
        problem = is_problem(http.post("/predict/parallel", json=body), 504)
    finally:
        running.consumer.thaw()
    assert "within 0.3 s" in problem["detail"]
    for answer in problem["answers"]:
        assert answer["error"]["type"] == "deadline_exceeded"
        assert 290 <= answer["elapsed_ms"] < 10_000
    asked(http, [model_id, others[0]])


def test_each_model_of_a_call_counts_among_those_in_flight(stack: Stack) -> None:
    _, consumer, http = stack.pair(MAX_IN_FLIGHT="3")
    upload(http)
    model_id = trained(http)
    consumer.terminate()
    assert consumer.wait() == 0

    def call(*models: str) -> httpx2.Response:
        body = {"model_ids": models, "input_data": ROW}
        return http.post("/predict/parallel", json=body)

    problem = is_problem(call("a", "b", "c", "d"), 413)
    assert (problem["field"], problem["limit"]) == ("model_ids", 3)
    with ThreadPoolExecutor() as threads:
        waiting = threads.submit(call, model_id, "b")
        until(lambda: stack.waiting(PREDICT_QUEUE) == 2, "two wait, and one more may")
        answer = call("a", "b")
        assert is_problem(answer, 503)["type"] == "overloaded"
        stack.consumer()
        assert waiting.result().status_code == 200
    for _ in range(5):
        assert call(model_id, "b", "c").status_code == 200
    assert stack.waiting(PREDICT_QUEUE) == 0


def test_who_hangs_up_leaves_nothing_behind(running: Running, model_id: str) -> None:
    producer, http = running.stack.producer(MAX_IN_FLIGHT="2")
    body = json.dumps({"model_ids": [model_id, "nobody"], "input_data": ROW}).encode()
    head = (
        b"POST /predict/parallel HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    )
    for count in range(1, 4):
        with socket.create_connection(("127.0.0.1", http.base_url.port)) as client:
            client.sendall(head + b"Content-Length: %d\r\n\r\n" % len(body) + body)
            producer.says("START parallel", times=count)
        producer.says("END parallel", times=count)
    asked(http, [model_id, "nobody"])
    assert "Traceback" not in producer.output()
