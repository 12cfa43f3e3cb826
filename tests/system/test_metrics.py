"""Real scrapes of a producer and a consumer, after a training and some predictions."""

import re
import subprocess
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest
from prometheus_client.parser import text_string_to_metric_families as parse

from app.observability.version import running_version
from devstack.demo import ROW
from devstack.layout import ROOT
from devstack.ports import unused
from tests.system.conftest import Running
from tests.system.support.processes import ALONE, until
from tests.system.support.programs import program

(PORT,) = unused(1)
SETTINGS = {"METRICS_PORT": str(PORT)}
COMMAND = ALONE
MONITORING = [*(ROOT / "deploy" / "grafana").glob("*.json"), ROOT / "deploy/prometheus/rules.yml"]
NAME = re.compile(r"\b(?:warren|process)_[a-z0-9_]+")


@pytest.fixture(scope="module")
def consumer() -> Iterator[httpx2.Client]:
    """A client of the consumer's own server."""
    url = f"http://127.0.0.1:{PORT}"
    with httpx2.Client(base_url=url, trust_env=False, timeout=30) as client:
        yield client


@pytest.fixture(scope="module")
def scrapes(running: Running, model_id: str, consumer: httpx2.Client) -> dict[str, str]:
    """What both processes answer after a training and three predictions, one of them wrong."""
    for row in (ROW, ROW, {"age": "?"}):
        running.http.post("/predict", json={"model_id": model_id, "input_data": row})
    running.http.get("/nowhere")
    until(lambda: running.http.get("/workers").json()["workers"], "the consumer is heard of")
    is_connected = "warren_broker_connected 1.0"  # by all its connections
    until(lambda: is_connected in consumer.get("/metrics").text, "the consumer is connected")
    return {
        "producer": running.http.get("/metrics").text,
        "consumer": consumer.get("/metrics").text,
    }


def samples(text: str) -> dict[tuple[str, ...], float]:
    """The values by name and labels, these in the order of their names."""
    return {
        (each.name, *(value for _, value in sorted(each.labels.items()))): each.value
        for family in parse(text)
        for each in family.samples
    }


def test_what_happened_is_counted(scrapes: dict[str, str]) -> None:
    producer, consumer = samples(scrapes["producer"]), samples(scrapes["consumer"])

    requests = "warren_http_request_duration_seconds_count"
    assert producer[requests, "200", "POST", "/predict"] == 2
    assert producer[requests, "422", "POST", "/predict"] == 1
    assert producer[requests, "404", "GET", "unknown"] == 1
    assert producer["warren_jobs", "train", "TASK_COMPLETED"] == 1
    assert producer["warren_queue_consumers", "queue.model.train"] == 1
    assert producer["warren_queue_messages", "queue.model.dead"] == 0
    assert producer["warren_workers", "alive", running_version()] == 1
    assert producer["warren_broker_connected",] == producer["warren_database_connected",] == 1

    assert consumer["warren_predictions_total", "completed", "onnx"] == 2
    assert consumer["warren_predictions_total", "invalid", "onnx"] == 1
    assert consumer["warren_prediction_batch_rows_sum", "onnx"] == 2
    assert consumer["warren_model_loads_total", "completed"] == 1
    assert consumer["warren_models_loaded",] == 1
    assert consumer["warren_models_loaded_bytes",] > 0
    assert consumer["warren_job_attempts_total", "train", "first"] == 1
    assert consumer["warren_job_attempt_duration_seconds_count", "train", "completed"] == 1
    assert consumer["warren_job_queue_wait_seconds_count", "train"] == 1
    assert consumer["warren_broker_connected",] == consumer["warren_database_connected",] == 1


def test_boards_and_rules_name_only_metrics_that_there_are(scrapes: dict[str, str]) -> None:
    served = set()
    for text in scrapes.values():
        for family in parse(text):
            served |= {family.name, *(each.name for each in family.samples)}
            if family.type == "histogram":
                served |= {f"{family.name}_{part}" for part in ("bucket", "count", "sum")}
            if family.type == "counter":
                served.add(f"{family.name}_total")
    named = {name for file in MONITORING for name in NAME.findall(file.read_text())}

    assert len(named) > 30
    assert named <= served, f"nobody serves {sorted(named - served)}"


@pytest.mark.parametrize("process", ["producer", "consumer"])
def test_promtool_finds_no_fault(scrapes: dict[str, str], process: str) -> None:
    command = [program("promtool"), "check", "metrics"]
    checked = subprocess.run(
        command, input=scrapes[process], text=True, capture_output=True, check=False
    )
    assert (checked.returncode, checked.stdout, checked.stderr) == (0, "", "")


def test_a_consumer_is_listed_until_it_ends(
    running: Running, consumer: httpx2.Client, scrapes: dict[str, str]
) -> None:
    def listed() -> list[dict[str, Any]]:
        return running.http.get("/workers").json()["workers"]

    assert consumer.get("/healthz").text == "ok\n"
    (found,) = listed()
    assert found["pid"] == running.consumer.pid
    assert found["version"] == running_version()
    assert found["memory_bytes"] > 50_000_000
    assert running.http.get("/workers").json()["version_skew"] is False
    versions = running.http.get("/health/all").json()["versions"]
    assert versions["consumers"] == {running_version(): 1}

    second = running.stack.consumer(ALONE, METRICS_PORT=str(PORT))
    second.says("cannot be had")
    until(lambda: len(listed()) == 2, "a consumer without its port works")
    second.terminate()
    assert second.wait() == 0
    assert len(listed()) == 1
