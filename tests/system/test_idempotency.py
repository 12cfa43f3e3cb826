"""`Idempotency-Key`: a request that is sent again is the same job."""

import secrets
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx2
import pytest

from devstack.demo import TRAIN
from tests.system.conftest import Running
from tests.system.support.client import is_problem, job, reached, upload

SETTINGS = {"TRAIN_WAIT": "0.2"}
QUICK = {**TRAIN, "params": {"n_estimators": 5}}


@pytest.fixture(scope="module")
def http(running: Running) -> httpx2.Client:
    upload(running.http)
    return running.http


@pytest.fixture
def key() -> str:
    return secrets.token_hex(8)


def send(http: httpx2.Client, key: str | bytes, **changes: Any) -> httpx2.Response:
    return http.post("/train", json={**QUICK, **changes}, headers={"Idempotency-Key": key})


def id_of(answer: httpx2.Response) -> str:
    assert answer.status_code == 202, answer.text
    model_id = str(answer.json()["message"]["model_id"])
    assert answer.headers["location"] == f"/jobs/{model_id}"
    return model_id


def jobs(http: httpx2.Client) -> set[str]:
    return {each["id"] for each in http.get("/jobs?limit=1000").json()["jobs"]}


def test_requests_with_one_key_are_one_job_even_at_once(http: httpx2.Client, key: str) -> None:
    before = jobs(http)
    with ThreadPoolExecutor(20) as threads:
        answers = list(threads.map(lambda _: send(http, key), range(20)))
    (only,) = {id_of(answer) for answer in answers}
    assert jobs(http) - before == {only}
    assert reached(http, only, "TASK_COMPLETED")["attempt"] == 1

    again = send(http, key)
    assert again.json()["message"] == {"status": "TASK_COMPLETED", "model_id": only}
    assert job(http, only)["attempt"] == 1
    assert jobs(http) - before == {only}


def test_a_key_whose_body_says_the_same_otherwise_is_the_same_job(
    http: httpx2.Client, key: str
) -> None:
    only = id_of(send(http, key))
    assert id_of(send(http, key, test_size=0.2, max_seconds=None)) == only
    assert id_of(send(http, key, estimator="random_forest_regressor")) == only


@pytest.mark.parametrize(
    "changes",
    [{"test_size": 0.3}, {"params": {}}, {"features": ["age"]}, {"max_seconds": 10}],
    ids=str,
)
def test_a_key_with_another_body_is_refused(
    http: httpx2.Client, key: str, changes: dict[str, Any]
) -> None:
    first = id_of(send(http, key))
    before = jobs(http)
    problem = is_problem(send(http, key, **changes), 422)
    assert problem["field"] == "Idempotency-Key"
    assert problem["detail"].startswith("Idempotency-Key: ")
    assert problem["job"] == first
    assert jobs(http) == before
    assert id_of(send(http, key)) == first


def test_another_key_is_another_job(http: httpx2.Client, key: str) -> None:
    one, other = id_of(send(http, key)), id_of(send(http, f"{key}-2"))
    neither = id_of(http.post("/train", json=QUICK))
    assert len({one, other, neither}) == 3


@pytest.mark.parametrize(
    "odd",
    ["", "x" * 256, "a b", "a\tb", "schl\u00fcssel".encode(), "\u00fc".encode("latin-1")],
    ids=["empty", "256", "space", "tab", "UTF-8", "Latin-1"],
)
def test_an_odd_key_is_refused(http: httpx2.Client, odd: str | bytes) -> None:
    before = jobs(http)
    problem = is_problem(send(http, odd), 422)
    assert problem["field"] == "Idempotency-Key"
    assert problem["detail"].startswith("Idempotency-Key: ")
    assert jobs(http) == before


@pytest.mark.parametrize("fine", ["k" * 255, '"quoted"', "a;b,c=d", "0"], ids=len)
def test_any_visible_ascii_is_a_key(http: httpx2.Client, fine: str) -> None:
    assert id_of(send(http, fine)) == id_of(send(http, fine))


def test_a_key_says_nothing_to_a_request_that_is_refused(http: httpx2.Client, key: str) -> None:
    assert is_problem(send(http, key, dataset_id="nowhere"), 404)["field"] == "dataset_id"
    assert is_problem(send(http, key, target="bmi"), 422)["field"] == "target"
    id_of(send(http, key))


def test_a_key_outlives_the_producer(running: Running, http: httpx2.Client, key: str) -> None:
    first = id_of(send(http, key))
    running.producer.terminate()
    assert running.producer.wait() == 0
    _, again = running.stack.producer()
    assert id_of(send(again, key)) == first
    assert is_problem(send(again, key, test_size=0.3), 422)["job"] == first
