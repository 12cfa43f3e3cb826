"""The log of a job is there while it runs, afterwards, and after restarts."""

import re
from typing import Any

import httpx2

from devstack.demo import ROW
from tests.system.conftest import Running
from tests.system.support.client import ENDLESS, reached, train, upload
from tests.system.support.processes import until


def log(http: httpx2.Client, job_id: str, **query: Any) -> dict[str, Any]:
    answer = http.get(f"/jobs/{job_id}/log", params=query)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def whole(http: httpx2.Client, job_id: str) -> dict[str, Any]:
    """Wait until no more lines will come."""

    def complete() -> dict[str, Any] | None:
        found = log(http, job_id)
        return found if found["complete"] else None

    return until(complete, "the log is complete") or {}


def texts(found: dict[str, Any]) -> list[str]:
    return [each["text"] for each in found["lines"]]


def test_the_log_of_a_training_is_what_its_consumer_logged(running: Running, model_id: str) -> None:
    found = whole(running.http, model_id)

    said = texts(found)
    assert said[0] == f"START train model={model_id} attempt=1"
    assert said[1] == "attempt 1: random_forest_regressor on diabetes"
    assert any(each.startswith("attempt 1: published as ") for each in said)
    assert any(re.match(r"attempt 1: TASK_COMPLETED, rmse 5\d\.\d", each) for each in said)
    assert not any("{" in each for each in said)
    assert re.match(rf"END train model={model_id} attempt=1 TASK_COMPLETED", said[-1])
    assert {each["level"] for each in found["lines"]} == {"INFO"}
    assert {each["attempt"] for each in found["lines"]} == {1}
    assert all(re.search(r":train-\d+$", each["consumer"]) for each in found["lines"])
    assert [each["number"] for each in found["lines"]] == list(range(1, len(said) + 1))
    assert (found["total"], found["left_out"], found["next"]) == (len(said), 0, len(said))
    assert log(running.http, model_id, after=1, limit=1)["lines"] == found["lines"][1:2]
    page = running.http.get(f"/ui/jobs/{model_id}", headers={"Accept": "text/html"}).text
    assert f"START train model={model_id} attempt=1" in page
    assert "data-live" not in page


def test_what_a_fit_prints_and_why_it_fails_are_in_its_log(running: Running, model_id: str) -> None:
    talkative = train(running.http, params={"verbose": 100, "n_estimators": 800, "max_depth": 1})
    found = whole(running.http, talkative)
    assert found["left_out"] == found["total"] - len(found["lines"])
    assert len([each for each in texts(found) if "building tree" in each]) > 50
    assert texts(found)[-1].startswith("END train ")

    failed = train(running.http, features=["<b>size"])
    found = whole(running.http, failed)
    error = next(each for each in found["lines"] if each["level"] == "WARNING")
    assert "<b>size" in error["text"]
    assert "attempt 1: TASK_ERROR, bad_data" in texts(found)
    page = running.http.get(f"/ui/jobs/{failed}", headers={"Accept": "text/html"}).text
    assert "<b>size" not in page


def test_a_job_that_runs_shows_its_lines(running: Running, model_id: str) -> None:
    job_id = train(running.http, **ENDLESS)
    found = until(
        lambda: found if (found := log(running.http, job_id))["lines"] else None, "a line"
    )
    assert not found["complete"]
    page = running.http.get(f"/ui/jobs/{job_id}", headers={"Accept": "text/html"}).text
    assert f"START train model={job_id} attempt=1" in page
    assert "data-live" in page

    assert running.http.delete(f"/jobs/{job_id}").status_code == 200
    found = whole(running.http, job_id)
    assert "cancelled: attempt 1 no longer has the job" in texts(found)


def test_the_log_of_a_batch_job_has_the_lines_of_its_parts(running: Running, model_id: str) -> None:
    row = "0.01,0.02,0.01,0.02,0.01,0.02,0.01,0.02,0.01\n"
    upload(running.http, "few", "age,bmi,bp,s1,s2,s3,s4,s5,s6\n" + row * 3)
    asked = {"model_id": model_id, "dataset_id": "few"}
    answer = running.http.post("/predict/batch", json=asked)
    job_id = str(answer.json()["message"]["job_id"])
    reached(running.http, job_id, "TASK_COMPLETED")

    found = whole(running.http, job_id)

    kinds = [each["text"].split()[1] for each in found["lines"] if each["text"].startswith("START")]
    assert kinds == ["batch", "part", "batch"]
    assert {each["part"] for each in found["lines"]} == {None, 0}
    assert "3 rows in 1 parts" in texts(found)


def test_a_prediction_job_has_no_log(running: Running, model_id: str) -> None:
    asked = {"model_id": model_id, "input_data": ROW}
    answer = running.http.post("/predict/async", json=asked)
    job_id = answer.json()["message"]["job_id"]
    reached(running.http, job_id, "TASK_COMPLETED")
    assert whole(running.http, job_id)["total"] == 0


def test_the_lines_of_all_attempts_outlive_their_consumer(running: Running, model_id: str) -> None:
    http = running.http
    job_id = train(http, **ENDLESS)
    until(lambda: log(http, job_id)["lines"], "the first attempt logs")
    running.consumer.kill()
    running.stack.consumer()
    until(
        lambda: {each["attempt"] for each in log(http, job_id)["lines"]} == {1, 2},
        "the second attempt logs",
    )
    assert len({each["consumer"] for each in log(http, job_id)["lines"]}) == 2
    http.delete(f"/jobs/{job_id}")
    whole(http, job_id)
