from functools import partial

import pytest
from prometheus_client.parser import text_string_to_metric_families as parse

from app.observability.metrics import catalogue
from app.observability.metrics.exposition import Exposition
from app.observability.metrics.families import BOTH, CONSUMER, PRODUCER, Gauge

GAUGES = [each for each in catalogue.FAMILIES if isinstance(each, Gauge)]


def exposed(process, **values):
    """The metrics of a kind of process; each gauge has a value, or that of its name."""

    def read(gauge):
        return values.get(gauge.name, {("x",) * len(gauge.labels): 1.0})

    gauges = {each: partial(read, each) for each in GAUGES if process in each.of}
    body, _ = Exposition(process, gauges).render()
    return {each.name: each for each in parse(body.decode())}


@pytest.mark.parametrize("process", BOTH)
def test_a_process_serves_the_metrics_that_it_has(process):
    served = exposed(process)

    for each in catalogue.FAMILIES:
        name = each.name.removesuffix("_total")
        assert (name in served) is (process in each.of), name
        if name in served:
            assert served[name].type == each.kind
            assert served[name].documentation == each.meaning
    assert "process_resident_memory_bytes" in served


def test_a_histogram_is_cumulative():
    catalogue.QUEUE_WAIT.observe(0.3, "a kind of this test")
    samples = exposed(CONSUMER)[catalogue.QUEUE_WAIT.name].samples
    mine = [each for each in samples if each.labels["kind"] == "a kind of this test"]

    buckets = {each.labels["le"]: each.value for each in mine if each.name.endswith("_bucket")}
    assert buckets == {
        end: float(float(end) >= 0.3) for end in (*map(str, catalogue.QUEUE_WAIT.bounds), "+Inf")
    }
    assert {each.name: each.value for each in mine if "le" not in each.labels} == {
        "warren_job_queue_wait_seconds_count": 1,
        "warren_job_queue_wait_seconds_sum": 0.3,
    }


def test_a_gauge_without_a_value_is_left_out():
    assert "warren_jobs" not in exposed(PRODUCER, warren_jobs={})


def test_each_metric_has_a_name_and_a_meaning_of_its_own():
    names = [each.name for each in catalogue.FAMILIES]
    meanings = [each.meaning for each in catalogue.FAMILIES]
    assert len(set(names)) == len(set(meanings)) == len(names)


@pytest.mark.parametrize(
    ("accept", "media_type"),
    [
        ("", "text/plain; version=0.0.4; charset=utf-8"),
        ("*/*", "text/plain; version=0.0.4; charset=utf-8"),
        ("text/plain; version=abc", "text/plain; version=0.0.4; charset=utf-8"),
        (
            "application/openmetrics-text;version=1.0.0;q=0.75,text/plain;version=0.0.4;q=0.5",
            "application/openmetrics-text; version=1.0.0; charset=utf-8",
        ),
        (
            "application/openmetrics-text; version=abc",
            "application/openmetrics-text; version=1.0.0; charset=utf-8",
        ),
    ],
)
def test_a_scrape_gets_openmetrics_if_it_asks_for_it(accept, media_type):
    assert Exposition("nobody", {}).render(accept)[1] == media_type
