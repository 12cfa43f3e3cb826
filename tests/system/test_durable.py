"""Predictions that are jobs: `POST /predict/async` and `POST /predict/sync_async`."""

import json
import secrets
import sqlite3
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest

from app.amqp.topology import DEAD_LETTER_QUEUE, PREDICT_ASYNC_QUEUE
from devstack.demo import ROW
from tests.system.conftest import Running
from tests.system.support import gated
from tests.system.support.client import (
    diabetes,
    is_problem,
    job,
    predict,
    reached,
    train,
    trained,
    upload,
)
from tests.system.support.gated import HELD
from tests.system.support.processes import ALONE, Process, Stack, until
from tests.system.support.thinking import Remote, remote

COMMAND = gated.COMMAND
SETTINGS = {"TRAIN_WAIT": "5", "PREDICT_TIMEOUT": "5", "INVOKE_HOSTS": "127.0.0.1"}
SHORT_LEASE = {"LEASE_SECONDS": "5", "INVOKE_HOSTS": "127.0.0.1"}
BAD_ROW = {**ROW, "age": "old"}


@pytest.fixture(scope="module")
def http(running: Running) -> httpx2.Client:
    for dataset_id in ("diabetes", HELD):
        upload(running.http, dataset_id)
    head, *rows = diabetes().splitlines()
    doubled = [f"{r.rpartition(',')[0]},{2 * float(r.rpartition(',')[2])}" for r in rows]
    upload(running.http, "doubled", "\n".join([head, *doubled]))
    return running.http


@pytest.fixture(scope="module")
def models(http: httpx2.Client) -> dict[str, str]:
    """A model, one that learnt the same, and one that learnt the double of it."""
    return {
        "one": trained(http),
        "same": trained(http),
        "double": trained(http, dataset_id="doubled"),
    }


@pytest.fixture
def model(models: dict[str, str]) -> str:
    return models["one"]


@pytest.fixture
def far() -> Iterator[Remote]:
    with remote() as made:
        yield made


@pytest.fixture
def held(running: Running, far: Remote) -> str:
    """A remote model that does not answer before it is let go."""
    far.hold()
    return far.register(running.stack, f"held-{secrets.token_hex(4)}")


def ask(http: httpx2.Client, model_id: str, row: Any = ROW, **more: Any) -> str:
    """Have a prediction accepted; return the job's id."""
    answer = http.post("/predict/async", json={"model_id": model_id, "input_data": row}, **more)
    assert answer.status_code == 202, answer.text
    told = answer.json()["message"]
    assert answer.headers["location"] == f"/jobs/{told['job_id']}"
    return str(told["job_id"])


def ask_both(http: httpx2.Client, sync: str, other: str, **more: Any) -> dict[str, Any]:
    body = {"sync_model_id": sync, "async_model_id": other, "input_data": ROW, **more}
    answer = http.post("/predict/sync_async", json=body)
    assert answer.status_code == 200, answer.text
    told = dict(answer.json()["message"])
    assert answer.headers["location"] == f"/jobs/{told['job_id']}"
    return told


def inputs_of(stack: Stack, job_id: str) -> str | None:
    """Return what the row still holds of what was asked."""
    file = stack.environment["DATABASE_URL"].removeprefix("sqlite:///")
    connection = sqlite3.connect(file)
    ((inputs,),) = connection.execute("SELECT inputs FROM jobs WHERE id = ?", [job_id])
    connection.close()
    return None if inputs is None else str(inputs)


def jobs(http: httpx2.Client) -> set[str]:
    return {each["id"] for each in http.get("/jobs?limit=1000").json()["jobs"]}


def settled(stack: Stack) -> None:
    until(lambda: stack.waiting(PREDICT_ASYNC_QUEUE) == 0, "all messages are settled")
    assert stack.waiting(DEAD_LETTER_QUEUE) == 0
    assert "Traceback" not in stack.output()


# POST /predict/async


def test_an_answer_is_found_at_its_job(running: Running, http: httpx2.Client, model: str) -> None:
    answer = http.post("/predict/async", json={"model_id": model, "input_data": ROW})
    told = answer.json()["message"]
    assert told == {"status": "TASK_QUEUED", "job_id": told["job_id"], "model_id": model}

    found = reached(http, told["job_id"], "TASK_COMPLETED")

    direct = predict(http, model)
    result = found["result"]
    assert result["prediction"] == direct["prediction"]
    assert result["pred_proba"] == direct["pred_proba"]
    assert result["model_id"] == model
    assert result["elapsed_ms"] > 0
    assert (found["kind"], found["attempt"], found["failures"]) == ("predict", 1, 0)
    assert (found["progress"], found["error"]) == (1.0, None)
    assert found["request"] == {"model_id": model}
    assert (found["sync"], found["disagree"], found["dataset_id"]) == (None, None, None)
    assert "inputs" not in found
    assert inputs_of(running.stack, told["job_id"]) is None
    assert http.get(f"/job/{told['job_id']}").json() == found
    settled(running.stack)


def test_rows_are_answered_by_lists(http: httpx2.Client, model: str) -> None:
    found = reached(http, ask(http, model, [ROW, ROW]), "TASK_COMPLETED")
    one = predict(http, model)["prediction"]
    assert found["result"]["prediction"] == [one, one]


def test_latest_is_the_model_that_is_the_latest_when_the_job_is_accepted(
    http: httpx2.Client, model: str
) -> None:
    body = {"model_id": "latest", "dataset_id": "doubled", "input_data": ROW}
    told = http.post("/predict/async", json=body).json()["message"]
    latest = http.get("/models/latest").json()["model_id"]
    assert told["model_id"] == latest
    found = reached(http, told["job_id"], "TASK_COMPLETED")
    assert found["result"]["model_id"] == latest


def test_the_list_shows_it_without_its_answer(http: httpx2.Client, model: str) -> None:
    job_id = ask(http, model)
    reached(http, job_id, "TASK_COMPLETED")
    (found,) = (each for each in http.get("/jobs").json()["jobs"] if each["id"] == job_id)
    assert (found["kind"], found["state"]) == ("predict", "TASK_COMPLETED")
    assert "result" not in found


def test_a_job_that_waits_says_so(
    running: Running, http: httpx2.Client, far: Remote, held: str
) -> None:
    job_id = ask(http, held)
    until(lambda: far.asked, "the model is asked")
    found = reached(http, job_id, "TASK_RUNNING")
    assert (found["result"], found["progress"], found["ended_at"]) == (None, None, None)
    assert json.loads(inputs_of(running.stack, job_id) or "") == {"input_data": ROW}

    far.let_go()

    assert reached(http, job_id, "TASK_COMPLETED")["result"]["prediction"] == 7.5
    assert far.asked == [{"input_data": ROW}]


def test_the_stream_ends_with_the_answer(
    running: Running, http: httpx2.Client, far: Remote, held: str
) -> None:
    job_id = ask(http, held)
    told = []
    with http.stream("GET", f"/job/{job_id}/events") as stream:
        for line in stream.iter_lines():
            if line.startswith("data: "):
                told.append(json.loads(line.removeprefix("data: ")))
                if told[-1]["state"] == "TASK_RUNNING":
                    far.let_go()
    assert told[-1] == job(http, job_id)
    assert told[-1]["result"]["prediction"] == 7.5
    assert {each["result"] for each in told[:-1]} == {None}


@pytest.mark.parametrize("path", ["/jobs/nobody", "/job/nobody", "/job/nobody/events"])
def test_there_is_no_such_job(http: httpx2.Client, path: str) -> None:
    assert is_problem(http.get(path), 404)["field"] == "job_id"


def test_a_model_that_came_finished_is_no_job(http: httpx2.Client, held: str) -> None:
    assert is_problem(http.get(f"/jobs/{held}"), 404)["field"] == "job_id"
    assert is_problem(http.delete(f"/jobs/{held}"), 404)["field"] == "job_id"
    assert held not in jobs(http)


def test_a_model_that_is_not_there_or_not_ready_is_refused_at_once(
    running: Running, http: httpx2.Client, model: str
) -> None:
    before = jobs(http)
    in_training = train(http, dataset_id=HELD)
    body = {"input_data": ROW}
    for model_id, status in (("nobody", 404), (in_training, 409)):
        problem = is_problem(
            http.post("/predict/async", json={**body, "model_id": model_id}), status
        )
        assert problem["field"] == "model_id"
        both = {**body, "sync_model_id": model, "async_model_id": model_id}
        problem = is_problem(http.post("/predict/sync_async", json=both), status)
        assert problem["field"] == "async_model_id"
        assert problem["detail"].startswith("async_model_id: ")
        both = {**body, "sync_model_id": model_id, "async_model_id": model}
        problem = is_problem(http.post("/predict/sync_async", json=both), status)
        assert problem["field"] == "sync_model_id"
        assert problem["detail"].startswith("sync_model_id: ")
    assert jobs(http) - before == {in_training}
    running.stack.let_go(in_training)
    reached(http, in_training, "TASK_COMPLETED")


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"input_data": None}, "input_data"),
        ({"image_data": "aGk="}, "input_data"),
        ({"model_id": "../x"}, "model_id"),
        ({"else": 1}, "else"),
        ({"job_id": "mine"}, "job_id"),
    ],
)
def test_a_wrong_body_is_refused(
    http: httpx2.Client, model: str, changes: dict[str, Any], field: str
) -> None:
    body = {"model_id": model, "input_data": ROW, **changes}
    assert is_problem(http.post("/predict/async", json=body), 422)["field"] == field


@pytest.mark.parametrize("path", ["/predict/async", "/predict/sync_async"])
def test_what_is_no_json_is_refused(http: httpx2.Client, path: str) -> None:
    json_headers = {"Content-Type": "application/json"}
    for content, headers in (
        (b"{", json_headers),
        (b'{"model_id": "m", "model_id": "m"}', json_headers),
        (b'{"tolerance": NaN}', json_headers),
        (b"", json_headers),
    ):
        assert is_problem(http.post(path, content=content, headers=headers), 422)["field"] == "body"
    for headers in ({"Content-Type": "text/plain"}, {}):
        assert is_problem(http.post(path, content=b"{}", headers=headers), 415)["field"] == "body"


@pytest.mark.parametrize("path", ["/predict/async", "/predict/sync_async"])
def test_the_reference_tells_of_body_and_key(http: httpx2.Client, path: str) -> None:
    told = http.get("/openapi.json").json()["paths"][path]["post"]
    schema = told["requestBody"]["content"]["application/json"]["schema"]
    assert schema["examples"]
    assert "input_data" in schema["properties"]
    (key,) = told["parameters"]
    assert (key["name"], key["in"], key["required"]) == ("Idempotency-Key", "header", False)
    assert {"404", "408", "409", "413", "422", "503"} <= told["responses"].keys()


def test_a_row_that_the_model_cannot_take_ends_the_job(
    running: Running, http: httpx2.Client, model: str
) -> None:
    job_id = ask(http, model, BAD_ROW)
    found = reached(http, job_id, "TASK_ERROR")
    assert (found["error"]["type"], found["error"]["field"]) == ("invalid", "input_data.age")
    assert (found["result"], found["attempt"], found["failures"]) == (None, 1, 0)
    assert inputs_of(running.stack, job_id) is None
    settled(running.stack)


def test_what_fails_and_may_succeed_later_is_tried_again(
    running: Running, http: httpx2.Client, far: Remote
) -> None:
    far.status = 429
    job_id = ask(http, far.register(running.stack, f"busy-{secrets.token_hex(4)}"))
    waits = until(lambda: (found := job(http, job_id))["run_after"] and found, "it waits") or {}
    assert (waits["state"], waits["error"]["type"]) == ("TASK_QUEUED", "endpoint_unavailable")
    assert waits["result"] is None

    far.status = 200

    found = reached(http, job_id, "TASK_COMPLETED")
    refused = len(far.asked) - 1  # once, or again before that was seen here
    assert (found["failures"], found["attempt"]) == (refused, refused + 1)
    assert found["error"] is None


def test_what_fails_and_may_have_begun_is_not_tried_again(
    running: Running, http: httpx2.Client, far: Remote
) -> None:
    far.status = 503
    job_id = ask(http, far.register(running.stack, f"lost-{secrets.token_hex(4)}"))
    error = reached(http, job_id, "TASK_ERROR")["error"]
    assert (error["type"], error["may_have_begun"]) == ("endpoint_unavailable", True)
    assert len(far.asked) == 1


def test_a_job_that_is_cancelled_writes_nothing(
    running: Running, http: httpx2.Client, far: Remote, held: str
) -> None:
    job_id = ask(http, held)
    until(lambda: far.asked, "the model is asked")

    assert http.delete(f"/jobs/{job_id}").json()["state"] == "TASK_CANCELLED"

    running.consumer.says(f"[{job_id}] cancelled: attempt 1")
    assert inputs_of(running.stack, job_id) is None
    far.let_go()
    found = job(http, job_id)
    assert (found["state"], found["result"]) == ("TASK_CANCELLED", None)
    assert is_problem(http.get(f"/models/{job_id}"), 404)
    settled(running.stack)


# Idempotency-Key


def test_a_key_is_one_job(http: httpx2.Client, model: str, models: dict[str, str]) -> None:
    key = {"Idempotency-Key": secrets.token_hex(8)}
    first = ask(http, model, headers=key)
    reached(http, first, "TASK_COMPLETED")
    assert ask(http, model, headers=key) == first
    for other in (
        {"model_id": models["same"], "input_data": ROW},
        {"model_id": model, "input_data": [ROW]},
    ):
        problem = is_problem(http.post("/predict/async", json=other, headers=key), 422)
        assert (problem["field"], problem["job"]) == ("Idempotency-Key", first)
    body = {"dataset_id": "diabetes", "features": ["age"], "target": "target"}
    problem = is_problem(http.post("/train", json=body, headers=key), 422)
    assert (problem["field"], problem["job"]) == ("Idempotency-Key", first)


def test_a_key_of_both_answers_what_it_answered(http: httpx2.Client, model: str) -> None:
    key = {"Idempotency-Key": secrets.token_hex(8)}
    body = {"sync_model_id": model, "async_model_id": model, "input_data": ROW}
    first, again = (http.post("/predict/sync_async", json=body, headers=key) for _ in range(2))
    assert first.json() == again.json()
    other = http.post("/predict/sync_async", json={**body, "tolerance": 0.5}, headers=key)
    assert is_problem(other, 422)["field"] == "Idempotency-Key"


@pytest.mark.parametrize("path", ["/predict/async", "/predict/sync_async"])
@pytest.mark.parametrize("odd", ["", "x" * 256, "a b", "\u00fc".encode("latin-1")], ids=len)
def test_an_odd_key_is_refused(http: httpx2.Client, path: str, odd: str | bytes) -> None:
    problem = is_problem(http.post(path, json={}, headers={b"Idempotency-Key": odd}), 422)
    assert problem["field"] == "Idempotency-Key"
    assert problem["detail"].startswith("Idempotency-Key: ")


# POST /predict/sync_async


def test_two_that_agree(http: httpx2.Client, models: dict[str, str]) -> None:
    told = ask_both(http, models["one"], models["same"])
    direct = predict(http, models["one"])
    assert told["status"] == "TASK_COMPLETED"
    assert (told["prediction"], told["pred_proba"]) == (direct["prediction"], direct["pred_proba"])
    assert (told["model_id"], told["async_model_id"]) == (models["one"], models["same"])
    assert told["elapsed_ms"] > 0

    found = reached(http, told["job_id"], "TASK_COMPLETED")

    assert found["disagree"] is False
    assert found["sync"]["prediction"] == told["prediction"]
    assert found["sync"]["model_id"] == models["one"]
    assert found["result"]["model_id"] == models["same"]
    assert found["request"] == {
        "model_id": models["same"],
        "sync_model_id": models["one"],
        "tolerance": 0.01,
    }


def test_two_that_disagree(http: httpx2.Client, models: dict[str, str]) -> None:
    told = ask_both(http, models["one"], models["double"])
    found = reached(http, told["job_id"], "TASK_COMPLETED")
    assert found["disagree"] is True
    told = ask_both(http, models["one"], models["double"], tolerance=0.6)
    assert reached(http, told["job_id"], "TASK_COMPLETED")["disagree"] is False


def test_nobody_knows_whether_they_agree_before_both_have_answered(
    http: httpx2.Client, model: str, far: Remote, held: str
) -> None:
    told = ask_both(http, model, held)
    assert told["status"] == "TASK_COMPLETED"
    until(lambda: far.asked, "the other is asked")
    found = job(http, told["job_id"])
    assert (found["result"], found["disagree"]) == (None, None)
    assert found["sync"]["prediction"] == told["prediction"]
    far.let_go()
    assert reached(http, told["job_id"], "TASK_COMPLETED")["disagree"] is True


def test_what_the_fast_model_refuses_is_no_job(http: httpx2.Client, model: str) -> None:
    before = jobs(http)
    body = {"sync_model_id": model, "async_model_id": model, "input_data": BAD_ROW}
    problem = is_problem(http.post("/predict/sync_async", json=body), 422)
    assert problem["field"] == "input_data.age"
    assert jobs(http) == before


def test_a_fast_model_that_cannot_answer_costs_no_job(
    running: Running, http: httpx2.Client, model: str, far: Remote, held: str
) -> None:
    running.consumer.freeze()
    try:
        told = ask_both(http, model, model)
    finally:
        running.consumer.thaw()
    assert (told["status"], told["error"]["type"]) == ("TASK_ERROR", "deadline_exceeded")
    assert "prediction" not in told
    found = reached(http, told["job_id"], "TASK_COMPLETED")
    assert found["sync"]["error"]["type"] == "deadline_exceeded"
    assert found["disagree"] is None
    assert found["result"]["prediction"]


def test_one_id_finds_the_whole_story(running: Running, http: httpx2.Client, model: str) -> None:
    job_id = ask_both(http, model, model)["job_id"]
    reached(http, job_id, "TASK_COMPLETED")
    for word in ("predict", "async"):  # a reply leaves before its END is logged
        running.consumer.says(f"[{job_id}] END {word}")
    for process, words in (
        (running.producer, ["sync_async"]),
        (running.consumer, ["predict", "async"]),
    ):
        said = [line for line in process.output().splitlines() if f"[{job_id}]" in line]
        for word in words:
            assert sum(f" START {word} model={model}" in line for line in said) == 1
            (end,) = (line for line in said if f" END {word} model={model}" in line)
            assert "TASK_COMPLETED elapsed_ms=" in end


# What is lost meanwhile.


@pytest.fixture
def two(stack: Stack) -> tuple[Process, httpx2.Client]:
    """A consumer, and a producer; leases are short."""
    consumer = stack.start(ALONE, **SHORT_LEASE)
    _, http = stack.producer(**SHORT_LEASE)
    consumer.says("waiting on queue.model.predict.async")
    return consumer, http


@pytest.mark.parametrize("idempotent", [True, False])
def test_a_consumer_that_is_killed_in_the_middle(
    stack: Stack, two: tuple[Process, httpx2.Client], far: Remote, idempotent: bool
) -> None:
    first, http = two
    far.hold()
    job_id = ask(http, far.register(stack, "held", idempotent=idempotent))
    until(lambda: far.asked, "the model is asked")
    first.kill()
    first.wait()
    far.let_go()

    stack.start(ALONE, **SHORT_LEASE)

    if idempotent:
        found = reached(http, job_id, "TASK_COMPLETED")
        assert (found["attempt"], found["failures"]) == (2, 0)  # the death was not its own
        assert found["result"]["prediction"] == 7.5
        assert len(far.asked) == 2
    else:
        found = reached(http, job_id, "TASK_ERROR")
        assert found["error"]["type"] == "endpoint_failed"
        assert "may have been carried out" in found["error"]["detail"]
        assert len(far.asked) == 1
    settled(stack)


@pytest.mark.parametrize("idempotent", [True, False])
def test_a_consumer_that_is_asked_to_end_in_the_middle(
    stack: Stack, two: tuple[Process, httpx2.Client], far: Remote, idempotent: bool
) -> None:
    _, http = two
    far.hold()
    model_id = far.register(stack, "held", idempotent=idempotent)
    ending = stack.start(ALONE, **SHORT_LEASE, DRAIN_SECONDS="0.2")
    ending.says("waiting on queue.model.predict.async")
    two[0].terminate()
    assert two[0].wait() == 0
    job_id = ask(http, model_id)
    until(lambda: far.asked, "the model is asked")

    ending.terminate()

    assert ending.wait() == 0
    if idempotent:
        assert job(http, job_id)["state"] == "TASK_QUEUED"
        far.let_go()
        stack.start(ALONE, **SHORT_LEASE)
        found = reached(http, job_id, "TASK_COMPLETED")
        assert (found["attempt"], found["failures"], len(far.asked)) == (2, 0, 2)
    else:
        found = job(http, job_id)
        assert (found["state"], found["error"]["type"]) == ("TASK_ERROR", "endpoint_failed")
        assert len(far.asked) == 1
    settled(stack)


def test_a_consumer_that_is_asked_to_end_finishes_what_is_in_hand(
    stack: Stack, two: tuple[Process, httpx2.Client], far: Remote
) -> None:
    consumer, http = two
    far.hold()
    job_id = ask(http, far.register(stack, "held"))
    until(lambda: far.asked, "the model is asked")
    consumer.terminate()
    consumer.says("draining")
    far.let_go()
    assert consumer.wait() == 0
    assert job(http, job_id)["state"] == "TASK_COMPLETED"
    settled(stack)
