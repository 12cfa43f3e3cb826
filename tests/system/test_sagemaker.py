"""What SageMaker asks of a container: `serve`, `/ping`, `/invocations`."""

import os
import sys
from pathlib import Path
from typing import Any

import httpx2
import pytest

from devstack import ports
from devstack.demo import ROW
from devstack.layout import ROOT
from tests.system.conftest import Running
from tests.system.support.client import PREDICTION, is_problem, predict, trained
from tests.system.support.processes import Stack

PLAIN_HTTP = True  # it speaks HTTP by itself

ATTRIBUTES = "X-Amzn-SageMaker-Custom-Attributes"
JSON = {"Content-Type": "application/json"}


@pytest.fixture(scope="module")
def http(running: Running, model_id: str) -> httpx2.Client:
    return running.http


@pytest.fixture(scope="module")
def newest(http: httpx2.Client, model_id: str) -> str:
    """Another model, which is the latest."""
    return trained(http, estimator="ridge")


def invoked(http: httpx2.Client, body: Any, header: str | None = None) -> dict[str, Any]:
    headers = {ATTRIBUTES: header} if header is not None else {}
    answer = http.post("/invocations", json=body, headers=headers)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/json"
    return dict(answer.json())


def test_the_answer_is_that_of_predict_without_its_message(
    http: httpx2.Client, model_id: str, newest: str
) -> None:
    alone, many = predict(http, model_id), predict(http, model_id, [ROW, ROW])
    assert alone["prediction"] == pytest.approx(PREDICTION, abs=1e-3)
    for header in (
        f"model_id={model_id}",
        f"trace=1; model_id = {model_id}",
        f"x,model_id={model_id},y=2",
    ):
        assert invoked(http, ROW, header) == alone
        assert invoked(http, [ROW, ROW], header) == many
        assert invoked(http, {"input_data": ROW}, header) == alone
    assert invoked(http, {"input_data": [ROW, ROW], "model_id": model_id}) == many
    # The header is the caller's last word.
    assert invoked(http, {"input_data": ROW, "model_id": newest}, f"model_id={model_id}") == alone


@pytest.mark.parametrize(
    "header",
    [None, "", "trace=7", "trace_id=c1,X-Amzn-Trace-Id=Root=1", "model_id=", "model_id", "=;,="],
)
def test_without_a_model_it_is_the_latest(
    http: httpx2.Client, newest: str, header: str | None
) -> None:
    assert invoked(http, ROW, header)["model_id"] == newest


@pytest.mark.parametrize(
    ("header", "meant"),
    [
        ("modelid=two", "model_id"),
        ("model-id=two", "model_id"),
        ("trace=1; Model_ID=two", "model_id"),
        ("model_id=nobody,datasetid=d", "dataset_id"),
        ("job=1", "job_id"),
        ("extras=ignore", "extra"),
    ],
)
def test_a_misspelt_attribute_is_refused_with_the_name_that_is_meant(
    http: httpx2.Client, newest: str, header: str, meant: str
) -> None:
    answer = http.post("/invocations", json=ROW, headers={ATTRIBUTES: header})
    problem = is_problem(answer, 422)
    assert problem["field"] == ATTRIBUTES
    assert problem["detail"].endswith(f'is not known; did you mean "{meant}"?')


def test_a_call_may_have_a_job_and_a_data_set(
    running: Running, http: httpx2.Client, newest: str
) -> None:
    answer = invoked(http, ROW, "dataset_id=diabetes,job_id=of-sagemaker")
    assert answer["model_id"] == newest
    for side in (running.producer, running.consumer):
        side.says("[of-sagemaker] START predict model=latest")
        side.says("[of-sagemaker] END predict model=latest TASK_COMPLETED")


@pytest.mark.parametrize("kind", ["image/jpeg", "image/png", "application/x-image"])
def test_the_bytes_of_an_image_are_image_data(
    http: httpx2.Client, model_id: str, kind: str
) -> None:
    headers = {"Content-Type": kind, ATTRIBUTES: f"model_id={model_id}"}
    answer = http.post("/invocations", content=b"\x89PNG\xff\x00", headers=headers)
    assert is_problem(answer, 422)["field"] == "image_data"  # the model takes rows
    assert model_id in answer.json()["detail"]
    answer = http.post("/invocations", content=b"", headers=headers)
    assert is_problem(answer, 422)["field"] == "image_data"


def test_an_image_that_becomes_too_large_a_message_is_refused(http: httpx2.Client) -> None:
    headers = {"Content-Type": "image/png"}
    answer = http.post("/invocations", content=b"\xff" * 3_900_000, headers=headers)
    assert is_problem(answer, 413)["type"] == "too_large"
    assert http.get("/ping").status_code == 200
    answer = http.post("/invocations", content=b"\xff" * 4_000_001, headers=headers)
    assert is_problem(answer, 413)["type"] == "too_large"


@pytest.mark.parametrize(
    ("body", "headers", "status", "field"),
    [
        (b"{", JSON, 422, "body"),
        (b"1", JSON, 422, "input_data"),
        (b"null", JSON, 422, "input_data"),
        (b"[{}, 1]", JSON, 422, "input_data.1"),
        (b"[1]", JSON, 404, "model_id"),
        (b"{}", JSON, 404, "model_id"),
        (b'{"input_data": {}, "odd": 1}', JSON, 422, "odd"),
        (b'{"input_data": {}, "image_data": "x"}', JSON, 422, "input_data"),
        (b"1", {"Content-Type": "text/csv"}, 404, "model_id"),
        (b"{}", {"Content-Type": "text/plain"}, 415, "body"),
        (b"{}", {}, 415, "body"),
        (b"{}", {**JSON, ATTRIBUTES: "model_id=../x"}, 422, "model_id"),
        (b'{"instances": [], "odd": 1}', JSON, 422, "odd"),
        (b'{"instances": [], "inputs": []}', JSON, 422, "inputs"),
    ],
)
def test_a_bad_call_is_a_problem(
    http: httpx2.Client, body: bytes, headers: dict[str, str], status: int, field: str
) -> None:
    headers = {ATTRIBUTES: "model_id=nobody", **headers}
    answer = http.post("/invocations", content=body, headers=headers)
    assert is_problem(answer, status)["field"] == field


def test_while_the_broker_is_away_the_ping_says_so(running: Running, http: httpx2.Client) -> None:
    assert http.get("/ping").status_code == 200
    _, cut_off = running.stack.producer("RabbitMQ cannot be reached", RABBITMQ_PORT="1")
    assert is_problem(cut_off.get("/ping"), 503)["type"] == "broker_unavailable"
    answer = cut_off.post("/invocations", json=ROW)
    assert is_problem(answer, 503)["type"] == "broker_unavailable"


@pytest.mark.parametrize("chosen", [True, False])
def test_serve_is_the_producer_on_the_port_that_sagemaker_calls(
    stack: Stack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, chosen: bool
) -> None:
    """As in the image: found by PATH, in which `python` is ours; another PORT has no say."""
    (tmp_path / "serve").symlink_to(ROOT / "deploy/sagemaker/serve")
    path = f"{tmp_path}:{Path(sys.executable).parent}:{os.environ['PATH']}"
    (port,) = ports.unused(1)
    if chosen:
        where = {"SAGEMAKER_BIND_TO_PORT": str(port)}
    else:
        port = 8080
        if not ports.is_free(port):
            pytest.skip("somebody has port 8080")
        where = {}
    process = stack.start(
        ("-c", "import os; os.execvp('serve', ['serve'])"),
        PATH=path, PORT="5000", PYTHONPATH=str(ROOT), **where,
    )  # fmt: skip
    process.says("connected to RabbitMQ")
    process.says(f"Uvicorn running on http://0.0.0.0:{port}")
    with httpx2.Client(trust_env=False) as http:
        assert http.get(f"http://127.0.0.1:{port}/ping").status_code == 200
    process.terminate()
    assert process.wait() == 0
