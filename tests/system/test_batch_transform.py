"""SageMaker's batch transform of 100,000 lines gives one line for each, in order."""

import csv
import io
import json
from random import Random

import numpy as np
import pytest

from devstack.demo import ROW
from tests.system.conftest import Running
from tests.system.support.client import is_problem, predict, trained, upload
from tests.system.support.transform import MEGABYTE, Transform

COUNT = 100_000
CSV, LINES = "text/csv", "application/jsonlines"
PARAMETERS = {"MaxConcurrentTransforms": 2, "BatchStrategy": "MULTI_RECORD", "MaxPayloadInMB": 3}


@pytest.fixture(scope="module")
def model_id(running: Running) -> str:
    """A model whose answers differ from row to row."""
    upload(running.http)
    return trained(running.http, estimator="ridge")


@pytest.fixture(scope="module")
def rows() -> list[list[float]]:
    rng = Random(7)
    return [[round(rng.uniform(-0.1, 0.1), 6) for _ in ROW] for _ in range(COUNT)]


@pytest.fixture(scope="module")
def expected(running: Running, model_id: str, rows: list[list[float]]) -> list[float]:
    """What /predict answers."""
    answers: list[float] = []
    for begin in range(0, COUNT, 10_000):
        named = [dict(zip(ROW, row, strict=True)) for row in rows[begin : begin + 10_000]]
        answers += predict(running.http, model_id, named)["prediction"]
    return answers


def transform(running: Running, model_id: str, kind: str, **more: str) -> Transform:
    attributes = {"X-Amzn-SageMaker-Custom-Attributes": f"model_id={model_id}"}
    return Transform(running.http, {"Content-Type": kind, **attributes, **more})


def csv_of(rows: list[list[float]], end: str = "\n") -> bytes:
    written = io.StringIO()
    csv.writer(written, lineterminator=end).writerows(rows)
    return written.getvalue().encode()


def lines_of(rows: list[list[float]]) -> bytes:
    named = (dict(zip(ROW, row, strict=True)) for row in rows)
    return b"".join(json.dumps(row).encode() + b"\n" for row in named)


def test_the_parameters_say_what_a_call_may_hold(running: Running) -> None:
    answer = running.http.get("/execution-parameters")
    assert (answer.status_code, answer.json()) == (200, PARAMETERS)


@pytest.mark.slow
def test_csv(
    running: Running, model_id: str, rows: list[list[float]], expected: list[float]
) -> None:
    output = transform(running, model_id, CSV).run(csv_of(rows, "\r\n"))
    np.testing.assert_allclose([float(line) for line in output], expected, rtol=1e-5)
    assert len(output) == COUNT


@pytest.mark.slow
def test_json_lines(
    running: Running, model_id: str, rows: list[list[float]], expected: list[float]
) -> None:
    output = transform(running, model_id, LINES).run(lines_of(rows))
    values = [json.loads(line) for line in output]
    np.testing.assert_allclose([each["prediction"] for each in values], expected, rtol=1e-5)
    assert [each["pred_proba"] for each in values] == [each["prediction"] for each in values]


@pytest.mark.parametrize(("kind", "accept"), [(CSV, LINES), (LINES, CSV)])
def test_a_record_at_a_time(
    running: Running,
    model_id: str,
    rows: list[list[float]],
    expected: list[float],
    kind: str,
    accept: str,
) -> None:
    data = csv_of(rows[:50]) if kind == CSV else lines_of(rows[:50])
    job = transform(running, model_id, kind, Accept=accept)
    output = Transform(job.http, job.headers, "SINGLE_RECORD").run(data)
    values = [json.loads(line) for line in output]
    found = [each["prediction"] for each in values] if accept == LINES else values
    np.testing.assert_allclose(found, expected[:50], rtol=1e-5)


def test_a_bad_line_fails_its_call_and_is_named(
    running: Running, model_id: str, rows: list[list[float]]
) -> None:
    """The line is in the third message of the call."""
    data = csv_of(rows[:30_000]).splitlines(keepends=True)
    assert sum(map(len, data)) < PARAMETERS["MaxPayloadInMB"] * MEGABYTE
    data[25_000] = b"0,0,0,high,0,0,0,0,0\n"
    job = transform(running, model_id, CSV)
    answer = running.http.post("/invocations", content=b"".join(data), headers=job.headers)
    problem = is_problem(answer, 422)
    assert (problem["line"], problem["column"]) == (25_001, "s1")
    assert problem["detail"] == 'body: line 25001, column s1: expected a number, not "high"'


def test_a_call_of_many_rows_in_json_is_split_too(
    running: Running, model_id: str, rows: list[list[float]], expected: list[float]
) -> None:
    some = rows[:25_000]
    headers = {"X-Amzn-SageMaker-Custom-Attributes": f"model_id={model_id}"}
    answer = running.http.post("/invocations", json={"instances": some}, headers=headers)
    assert answer.status_code == 200, answer.text
    np.testing.assert_allclose(answer.json()["predictions"], expected[:25_000], rtol=1e-5)
    plain = running.http.post("/invocations", json=some, headers=headers)
    np.testing.assert_allclose(plain.json()["prediction"], expected[:25_000], rtol=1e-5)
