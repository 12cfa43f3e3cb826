"""Whole tables are scored in the background; the result has a row for each of theirs."""

import io
import json
from typing import Any

import httpx2
import numpy as np
import pandas as pd
import pytest

from tests.support import graphs
from tests.system.conftest import Running
from tests.system.support.client import is_problem, reached, trained, upload

COLUMNS = ["age", "sex", "bmi", "bp", "s1", "s2", "s3", "s4", "s5", "s6"]
PARTS = 3
ROWS = 120_000  # of which a part has 50,000


@pytest.fixture(scope="module")
def http(running: Running) -> httpx2.Client:
    return running.http


def table(rows: int, seed: int = 0) -> pd.DataFrame:
    """Return numbers like those that the reference was trained with, and an id."""
    values = np.random.default_rng(seed).normal(0, 0.05, (rows, len(COLUMNS)))
    frame = pd.DataFrame(values.round(6), columns=COLUMNS)
    frame.insert(0, "id", [f"row-{n}" for n in range(rows)])
    return frame


def batch(http: httpx2.Client, body: dict[str, Any]) -> str:
    answer = http.post("/predict/batch", json=body)
    assert answer.status_code == 202, answer.text
    assert answer.headers["location"] == f"/jobs/{answer.json()['message']['job_id']}"
    return str(answer.json()["message"]["job_id"])


def result(http: httpx2.Client, job_id: str) -> tuple[dict[str, Any], httpx2.Response]:
    """Wait for the end of a batch job; return it and its file."""
    job = reached(http, job_id, "TASK_COMPLETED")
    answer = http.get(f"/jobs/{job_id}/result")
    assert answer.status_code == 200, answer.text
    assert int(answer.headers["content-length"]) == len(answer.content) == job["result"]["size"]
    return job, answer


def csv_of(answer: httpx2.Response) -> pd.DataFrame:
    """Return a CSV with numbers as Python reads them, and the texts of other columns."""
    found = pd.read_csv(io.BytesIO(answer.content), dtype=str)
    numbers = [name for name in found if name != "id" and name != "colour"]
    for name in numbers:
        if pd.to_numeric(found[name], errors="coerce").notna().any():
            found[name] = [float(cell) if isinstance(cell, str) else np.nan for cell in found[name]]
    return found


def predicted(http: httpx2.Client, model_id: str, rows: pd.DataFrame) -> Any:
    """Return what `/predict` answers to these rows."""
    body = {"model_id": model_id, "input_data": rows.to_dict("records"), "extra": "ignore"}
    answer = http.post("/predict", json=body)
    assert answer.status_code == 200, answer.text
    return answer.json()["message"]


def test_a_table_of_many_parts_has_the_predictions_of_its_rows(
    http: httpx2.Client, model_id: str
) -> None:
    frame = table(ROWS)
    upload(http, "rows", frame.to_csv(index=False))

    job_id = batch(http, {"model_id": model_id, "dataset_id": "rows", "columns": ["id"]})
    job, answer = result(http, job_id)

    assert answer.headers["content-type"].startswith("text/csv")
    found = csv_of(answer)
    assert list(found.columns) == ["id", "prediction"] == job["result"]["columns"]
    assert found["id"].tolist() == frame["id"].tolist()
    assert (job["kind"], job["parts"], job["progress"]) == ("batch", PARTS, 1.0)
    assert job["result"] | {"size": 0} == {
        "format": "csv",
        "columns": ["id", "prediction"],
        "size": 0,
        "rows": ROWS,
        "scored": ROWS,
        "not_scored": 0,
        "problems": [],
    }
    for begin in (0, 49_900, ROWS - 200):
        asked = frame[COLUMNS][begin : begin + 200]
        wanted = predicted(http, model_id, asked)["prediction"]
        assert found["prediction"][begin : begin + 200].tolist() == wanted


def test_an_uploaded_table_may_be_in_any_dialect(http: httpx2.Client, model_id: str) -> None:
    frame = table(50)
    text = frame.to_csv(index=False, sep=";", decimal=",")

    answer = http.post(
        "/predict/batch",
        params={"model_id": model_id, "columns": "id,age"},
        content=text,
        headers={"content-type": "text/csv"},
    )

    assert answer.status_code == 202, answer.text
    _, answer = result(http, answer.json()["message"]["job_id"])
    found = csv_of(answer)
    assert list(found.columns) == ["id", "age", "prediction"]
    assert found["age"].tolist() == frame["age"].tolist()
    assert found["prediction"].tolist() == predicted(http, model_id, frame[COLUMNS])["prediction"]


def test_a_form_with_a_parquet_file_gets_parquet(http: httpx2.Client, model_id: str) -> None:
    frame = table(50)
    file = io.BytesIO()
    frame.to_parquet(file)

    answer = http.post(
        "/predict/batch",
        params={"model_id": model_id, "columns": "id", "format": "parquet"},
        files={"file": ("rows.parquet", file.getvalue(), "application/vnd.apache.parquet")},
    )

    assert answer.status_code == 202, answer.text
    _, answer = result(http, answer.json()["message"]["job_id"])
    found = pd.read_parquet(io.BytesIO(answer.content))
    assert found["id"].tolist() == frame["id"].tolist()
    assert found["prediction"].tolist() == predicted(http, model_id, frame[COLUMNS])["prediction"]


def test_a_result_that_the_client_has_is_not_sent_again(http: httpx2.Client, model_id: str) -> None:
    upload(http, "few", table(3).to_csv(index=False))
    job_id = batch(http, {"model_id": model_id, "dataset_id": "few"})
    _, answer = result(http, job_id)

    again = http.get(f"/jobs/{job_id}/result", headers={"If-None-Match": answer.headers["etag"]})

    assert (again.status_code, again.content) == (304, b"")
    is_problem(http.get(f"/jobs/{job_id}.part-0"), 404)
    assert is_problem(http.get("/jobs", params={"kind": "part"}), 422)["field"] == "kind"


@pytest.fixture(scope="module")
def classifier(http: httpx2.Client) -> str:
    """Return a classifier of numbers, texts and dates."""
    random = np.random.default_rng(1)
    count = 300
    frame = pd.DataFrame(
        {
            "size": random.normal(0, 1, count).round(3),
            "colour": random.choice(["red", "blue", 'a, "quoted" one'], count),
            "day": [f"2025-01-{1 + n % 28:02}" for n in range(count)],
            "open": random.choice(["true", "false"], count),
        }
    )
    frame["kind"] = np.where(frame["size"] + (frame["colour"] == "red") > 0.3, "big", "small")
    upload(http, "kinds", frame.to_csv(index=False))
    return trained(
        http,
        dataset_id="kinds",
        features=["size", "colour", "day", "open"],
        target="kind",
        estimator="random_forest_classifier",
        types={"day": "date"},
    )


def test_rows_that_cannot_be_scored_are_reported(http: httpx2.Client, classifier: str) -> None:
    rows = [
        "0.5,red,2025-01-03,true",
        ",red,2025-01-03,true",
        "large,red,2025-01-03,true",
        "0.5,red,3rd of May,true",
        '-0.5,"a, ""quoted"" one",2025-01-03,false',
        "huge,blue,2025-01-03,maybe",
    ]
    text = "\n".join(["size,colour,day,open", *rows])

    answer = http.post(
        "/predict/batch",
        params={"model_id": classifier, "columns": "colour"},
        content=text,
        headers={"content-type": "text/csv"},
    )
    assert answer.status_code == 202, answer.text
    job, answer = result(http, answer.json()["message"]["job_id"])

    found = csv_of(answer)
    assert list(found.columns) == ["colour", "prediction", "probability_big", "probability_small"]
    assert found["colour"][4] == 'a, "quoted" one'
    assert found["prediction"].isna().tolist() == [False, True, True, True, False, True]
    names = ["size", "colour", "day", "open"]
    asked = pd.DataFrame(
        [[0.5, "red", "2025-01-03", True], [-0.5, 'a, "quoted" one', "2025-01-03", False]],
        columns=names,
    )
    wanted = predicted(http, classifier, asked)
    assert found["prediction"].dropna().tolist() == wanted["prediction"]
    shares = found[["probability_big", "probability_small"]].dropna().to_dict("records")
    assert [[each["probability_big"], each["probability_small"]] for each in shares] == [
        [each["big"], each["small"]] for each in wanted["pred_proba"]
    ]
    told = job["result"]
    assert (told["rows"], told["scored"], told["not_scored"]) == (6, 2, 4)
    assert [(e["type"], e["column"], e["count"], e["rows"]) for e in told["problems"]] == [
        ("wrong_value", "size", 2, [3, 6]),
        ("missing_value", "size", 1, [2]),
        ("wrong_value", "day", 1, [4]),
        ("wrong_value", "open", 1, [6]),
    ]
    assert told["problems"][0]["detail"] == 'column "size": expected a number, not "large"'


def test_an_uploaded_model_scores_tables(http: httpx2.Client) -> None:
    manifest = {
        "kind": "onnx",
        "inputs": [{"name": "x", "features": ["a", "b"]}],
        "output": {"name": "y", "holds": "values"},
    }
    registered = http.put(
        "/models/line",
        data={"manifest": json.dumps(manifest)},
        files={"model": ("model.onnx", graphs.linear(graphs.DOUBLE))},
    )
    assert registered.status_code == 201, registered.text
    upload(http, "line", "b,a\n1,2\n,5\n0,1\n")

    job, answer = result(http, batch(http, {"model_id": "line", "dataset_id": "line"}))

    assert answer.text == 'prediction\n8.0\n""\n3.0\n'
    assert [(e["type"], e["column"]) for e in job["result"]["problems"]] == [("missing_value", "b")]


def test_a_wrong_request_is_refused_at_once(http: httpx2.Client, model_id: str) -> None:
    upload(http, "others", "age,other\n1,2\n")
    body = {"model_id": model_id, "dataset_id": "others"}

    problem = is_problem(http.post("/predict/batch", json=body), 422)
    assert problem["field"] == "model_id"
    assert "bmi" in problem["detail"]
    for changes, status, field in (
        ({"dataset_id": "none"}, 404, "dataset_id"),
        ({"model_id": "none"}, 404, "model_id"),
        ({"columns": ["nothing"], "dataset_id": "diabetes"}, 422, "columns"),
        ({"probabilities": True, "dataset_id": "diabetes"}, 422, "probabilities"),
        ({"format": "xlsx"}, 422, "format"),
    ):
        problem = is_problem(http.post("/predict/batch", json={**body, **changes}), status)
        assert problem["field"] == field
    is_problem(http.get(f"/jobs/{model_id}/result"), 404)


def test_the_same_key_makes_one_job(http: httpx2.Client, model_id: str) -> None:
    frame = table(20).to_csv(index=False)

    def ask(content: str) -> httpx2.Response:
        return http.post(
            "/predict/batch",
            params={"model_id": model_id},
            content=content,
            headers={"content-type": "text/csv", "idempotency-key": "batch-1"},
        )

    first, again = ask(frame), ask(frame)
    assert first.json()["message"]["job_id"] == again.json()["message"]["job_id"]
    is_problem(ask(table(20, seed=1).to_csv(index=False)), 422)
    reached(http, first.json()["message"]["job_id"], "TASK_COMPLETED")


@pytest.mark.parametrize("how", ["data set", "table"])
def test_a_repeated_request_gets_its_job_whatever_has_changed(
    running: Running, http: httpx2.Client, how: str
) -> None:
    content = table(20).to_csv(index=False)
    upload(http, "again", content)
    headers = {"idempotency-key": f"again, {how}".replace(" ", "")}

    def ask() -> httpx2.Response:
        if how == "data set":
            body = {"model_id": "latest", "dataset_id": "again"}
            return http.post("/predict/batch", json=body, headers=headers)
        asked = {"model_id": "latest"}
        csv = {**headers, "content-type": "text/csv"}
        return http.post("/predict/batch", params=asked, content=content, headers=csv)

    first_model = trained(http)
    first = ask()
    reached(http, first.json()["message"]["job_id"], "TASK_COMPLETED")
    trained(http)
    assert http.delete(f"/models/{first_model}").status_code == 204
    assert http.delete("/datasets/again").status_code == 204

    again = ask()

    assert again.status_code == 202, again.text
    for name in ("job_id", "model_id"):
        assert again.json()["message"][name] == first.json()["message"][name]


def test_a_line_break_between_chosen_columns_is_refused(http: httpx2.Client, model_id: str) -> None:
    answer = http.post(
        "/predict/batch",
        params={"model_id": model_id, "columns": "id\nage"},
        content=table(1).to_csv(index=False),
        headers={"content-type": "text/csv"},
    )

    assert is_problem(answer, 422)["field"] == "columns"


def test_a_cancelled_job_leaves_no_result(http: httpx2.Client, model_id: str) -> None:
    job_id = batch(http, {"model_id": model_id, "dataset_id": "rows"})

    assert http.delete(f"/jobs/{job_id}").json()["state"] == "TASK_CANCELLED"

    problem = is_problem(http.get(f"/jobs/{job_id}/result"), 409)
    assert problem["state"] == "TASK_CANCELLED"
    assert all(each["id"].count(".") == 0 for each in http.get("/jobs").json()["jobs"])
