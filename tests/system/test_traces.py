"""One trace of a job, whoever runs it, and of predictions, with whole processes and a collector."""

from collections.abc import Iterator

import httpx2
import pytest

from devstack.demo import ROW, TRAIN
from tests.support.collector import Collected, Collector, collector
from tests.support.spans import SENT, UNRECORDED, trace_of
from tests.system.support import gated
from tests.system.support.client import job, reached, upload
from tests.system.support.gated import HELD
from tests.system.support.processes import Stack, consumes, until

TRACE = trace_of(SENT)
CALLER = SENT.split("-")[2]


@pytest.fixture(scope="module")
def spans() -> Iterator[Collector]:
    with collector() as made:
        yield made


@pytest.fixture(scope="module")
def settings(spans: Collector) -> dict[str, str]:
    return {"OTEL_EXPORTER_OTLP_ENDPOINT": spans.url, "OTEL_TRACES_SAMPLER_ARG": "0"}


@pytest.fixture(scope="module")
def http(world: Stack, settings: dict[str, str]) -> httpx2.Client:
    _, http = world.producer(TRAIN_WAIT="0.2", **settings)
    upload(http, HELD)
    return http


def test_a_training_that_lost_its_consumer_twice_is_one_connected_trace(
    world: Stack, http: httpx2.Client, settings: dict[str, str], spans: Collector
) -> None:
    more = {**settings, "LOG_FORMAT": "json"}
    answer = http.post("/train", json=TRAIN | {"dataset_id": HELD}, headers={"traceparent": SENT})
    job_id = answer.json()["message"]["model_id"]
    for _ in range(2):
        lost = world.start(gated.ALONE, **more)
        lost.says(f"holding {job_id}")
        lost.kill()
        lost.end()
    world.let_go(job_id)
    last = world.start(gated.ALONE, **more)
    reached(http, job_id, "TASK_COMPLETED")
    model = {"model_id": job_id, "input_data": ROW}
    assert http.post("/predict", json=model, headers={"traceparent": SENT}).status_code == 200
    last.terminate()
    assert last.wait() == 0

    def complete() -> bool:
        names = {each.span.name for each in spans.of_trace(TRACE)}
        return {"process queue.model.train", "POST /predict"} <= names

    until(complete, "the spans have come")
    found = spans.of_trace(TRACE)
    ids = {each.span.span_id.hex(): each for each in found}
    assert len(ids) == len(found)
    # A message of an attempt that was taken over may come once more, and finds nothing to do.
    handled = named(found, "process queue.model.train")
    (process,) = [each for each in handled if "warren.job.attempt" in each.attributes]
    assert process.service == "warren-consumer"
    assert process.attributes["warren.job.id"] == job_id
    assert process.attributes["warren.job.attempt"] == job(http, job_id)["attempt"] == 3
    below = {each.span.name for each in found if leads(ids, each, process)}
    assert {"read", "split", "fit", "predict", "export", "evaluation", "S3"} <= below
    (asked,) = named(found, "POST /train")
    assert leads(ids, process, asked)
    assert (asked.service, asked.span.parent_span_id.hex()) == ("warren-producer", CALLER)
    (predicted,) = named(found, "POST /predict")
    (run,) = named(found, "run model")
    assert leads(ids, run, predicted)
    assert f'"trace_id": "{TRACE}"' in last.output()


def test_what_nobody_records_is_not_sent(
    world: Stack, http: httpx2.Client, settings: dict[str, str], spans: Collector
) -> None:
    consumes(world.start(gated.ALONE, **settings), 1)
    for headers in ({}, {"traceparent": UNRECORDED}):
        assert http.get("/jobs", headers=headers).status_code == 200
    assert http.get("/models", headers={"traceparent": SENT}).status_code == 200

    until(lambda: named(spans.of_trace(TRACE), "GET /models"), "a span that is recorded")
    assert {each.span.trace_id.hex() for each in spans.collected} == {TRACE}


def named(found: list[Collected], name: str) -> list[Collected]:
    return [each for each in found if each.span.name == name]


def leads(ids: dict[str, Collected], below: Collected, above: Collected) -> bool:
    """Tell whether a span is below another one."""
    while parent := ids.get(below.span.parent_span_id.hex()):
        if parent is above:
            return True
        below = parent
    return False
