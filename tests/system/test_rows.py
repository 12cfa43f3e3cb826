"""`POST /predict` has a way of its own through the producer: what it takes, and how much of it."""

import json
import socket
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any

import httpx2
import pytest

from app.amqp.topology import DEAD_LETTER_QUEUE, PREDICT_QUEUE
from devstack.demo import ROW
from tests.system.conftest import Running
from tests.system.support.client import PREDICTION, is_problem, predict, trained, upload
from tests.system.support.processes import Stack, until

PLAIN_HTTP = True  # it speaks HTTP by itself

MOST = 10_000


@pytest.fixture(scope="module")
def http(running: Running) -> httpx2.Client:
    return running.http


def test_ten_thousand_rows_are_answered_and_one_more_is_too_many(
    running: Running, http: httpx2.Client, model_id: str
) -> None:
    other = {**ROW, "bmi": -0.05}
    rows = [ROW, other] * (MOST // 2)
    answer = predict(http, model_id, rows)
    assert len(answer["prediction"]) == len(answer["pred_proba"]) == MOST
    assert answer["prediction"][::2] == pytest.approx([PREDICTION] * (MOST // 2), abs=1e-3)
    low = predict(http, model_id, other)["prediction"]
    assert answer["prediction"][1::2] == pytest.approx([low] * (MOST // 2))

    asked = {"model_id": model_id, "input_data": [*rows, ROW]}
    problem = is_problem(http.post("/predict", json=asked), 413)
    assert (problem["type"], problem["field"], problem["limit"]) == (
        "too_large",
        "input_data",
        MOST,
    )
    assert str(MOST) in problem["detail"]
    assert running.stack.waiting(DEAD_LETTER_QUEUE) == 0


def test_each_orient_of_a_data_frame_is_answered_alike(http: httpx2.Client, model_id: str) -> None:
    rows = [ROW, {**ROW, "bmi": -0.05}]
    reverse = list(reversed(ROW))
    split = {"columns": reverse, "data": [[row[name] for name in reverse] for row in rows]}
    expected = predict(http, model_id, rows)
    sent: list[dict[str, Any]] = [
        {"input_data": split},
        {"input_data": {"index": [3, 5], **split}},
        {"input_data": {name: [row[name] for row in rows] for name in reverse}},
        {"input_data": [list(row.values()) for row in rows]},
        split,
    ]
    for body in sent:
        answer = http.post("/predict", json={"model_id": model_id, **body})
        assert answer.json()["message"]["prediction"] == expected["prediction"], answer.text


def test_callers_at_once_get_their_own_answers(http: httpx2.Client, model_id: str) -> None:
    rows = [{**ROW, "bmi": number / 1000 - 0.1} for number in range(200)]
    expected = predict(http, model_id, rows)["prediction"]

    def ask(row: dict[str, Any]) -> Any:
        return predict(http, model_id, row)["prediction"]

    with ThreadPoolExecutor(32) as threads:
        assert list(threads.map(ask, rows)) == pytest.approx(expected)
    assert len({f"{each:.6}" for each in expected}) > 10


@pytest.mark.parametrize(
    "kind", ["application/json", "Application/JSON; charset=utf-8", "application/ld+json"]
)
def test_json_may_be_declared_as_json_of_any_kind(
    http: httpx2.Client, model_id: str, kind: str
) -> None:
    body = json.dumps({"model_id": model_id, "input_data": ROW}, indent=2)
    answer = http.post("/predict", content=body, headers={"Content-Type": kind})
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/json"


def test_another_method_is_told_which_one_is_allowed(http: httpx2.Client) -> None:
    for method in ("GET", "PUT", "DELETE"):
        answer = http.request(method, "/predict")
        is_problem(answer, 405)
        assert answer.headers["allow"] == "OPTIONS, POST"


def test_the_documentation_shows_an_example_that_runs_and_what_it_refers_to(
    http: httpx2.Client, model_id: str
) -> None:
    document = http.get("/openapi.json").json()
    operation = document["paths"]["/predict"]["post"]
    assert operation["requestBody"]["required"]
    schema = operation["requestBody"]["content"]["application/json"]["schema"]
    (example,) = schema["examples"]
    assert http.post("/predict", json=example).status_code == 200
    assert {"200", "413", "422", "503", "504"} <= set(operation["responses"])

    for reference in references(document):
        assert reference.startswith("#/")
        found = document
        for key in reference.removeprefix("#/").split("/"):
            found = found[key]


def references(value: Any) -> set[str]:
    """Return all `$ref`s in a document."""
    if isinstance(value, list):
        return set().union(*map(references, value))
    if not isinstance(value, dict):
        return set()
    own = {value["$ref"]} if isinstance(value.get("$ref"), str) else set()
    return own.union(*map(references, value.values()))


def test_clients_that_hang_up_in_the_middle_of_a_body_do_no_harm(
    running: Running, model_id: str
) -> None:
    producer, http = running.stack.producer(MAX_IN_FLIGHT="1", MAX_IN_FLIGHT_BYTES="8000000")
    head = b"POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    begun = [b"Content-Length: 4000000\r\n\r\n{", b"Transfer-Encoding: chunked\r\n\r\n1\r\n{\r\n"]
    for count, rest in enumerate(begun * 2, 1):
        with socket.create_connection(("127.0.0.1", http.base_url.port)) as client:
            client.sendall(head + rest)
        producer.says("POST /predict: the client disconnected", times=count)
    assert predict(http, model_id)["status"] == "TASK_COMPLETED"
    assert "Traceback" not in producer.output()


def test_who_asks_for_more_than_can_be_answered_is_told_to_come_again(stack: Stack) -> None:
    _, consumer, http = stack.pair(MAX_IN_FLIGHT="1")
    upload(http)
    model_id = trained(http)
    consumer.terminate()
    assert consumer.wait() == 0

    asked = {"model_id": model_id, "input_data": ROW}
    with ThreadPoolExecutor() as threads:
        waiting = threads.submit(http.post, "/predict", json=asked)
        until(lambda: stack.waiting(PREDICT_QUEUE) == 1, "one waits, and no more may")
        answer = http.post("/predict", json=asked)
        assert is_problem(answer, 503)["type"] == "overloaded"
        assert int(answer.headers["retry-after"]) > 0
        assert http.get(f"/models/{model_id}").status_code == 200  # no prediction, no limit
        stack.consumer()
        assert waiting.result().status_code == 200
    assert predict(http, model_id)["status"] == "TASK_COMPLETED"


@pytest.mark.parametrize(
    "call",
    ["POST /predict", "POST /predict/async", "POST /predict/sync_async", "PUT /models/endpoint"],
)
def test_clients_that_stall_in_a_body_keep_nobody_waiting(
    running: Running, model_id: str, call: str
) -> None:
    _, http = running.stack.producer(MAX_IN_FLIGHT_BYTES="8000000", PREDICT_TIMEOUT="5")
    head = f"{call} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    with ExitStack() as stack:
        address = ("127.0.0.1", http.base_url.port)
        clients = [stack.enter_context(socket.create_connection(address, 20)) for _ in range(10)]
        for client in clients:
            client.sendall(f"{head}Content-Length: 4000000\r\n\r\n{{".encode())
        assert predict(http, model_id)["status"] == "TASK_COMPLETED"
        answers = {client.recv(100)[9:12] for client in clients}
    assert b"408" in answers  # to those that did not send all
    assert answers <= {b"408", b"429"}  # to those of the same caller that came too many
