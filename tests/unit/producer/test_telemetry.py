import pytest
from fastapi import FastAPI
from opentelemetry import _logs, metrics, trace

from app.producer.app import create_app
from app.settings import Settings
from tests.unit.producer.answers.test_problems import Client


class Providers(trace.TracerProvider, metrics.MeterProvider, _logs.LoggerProvider):
    """A global provider of every kind, as an SDK would set it; keeps who asked for what."""

    def __init__(self):
        self.asked = set()

    def get_tracer(self, name, *_, **__):
        self.asked.add(("tracer", name))
        return trace.NoOpTracer()

    def get_meter(self, name, *_, **__):
        self.asked.add(("meter", name))
        return metrics.NoOpMeter(name)

    def get_logger(self, name, *_, **__):
        self.asked.add(("logger", name))
        return _logs.NoOpLogger(name)


@pytest.fixture
def providers(monkeypatch):
    # OpenTelemetry lets a process set a provider once, and never take it back.
    found = Providers()
    monkeypatch.setattr(trace, "get_tracer_provider", lambda: found)
    monkeypatch.setattr(metrics, "get_meter_provider", lambda: found)
    monkeypatch.setattr(_logs, "get_logger_provider", lambda: found)
    monkeypatch.setattr(_logs, "get_logger", found.get_logger)
    return found


def test_fastapi_records_for_a_global_provider_unless_it_is_told_not_to(providers):
    app = FastAPI()
    assert Client(app)("GET", "/openapi.json").is_success
    assert providers.asked == {(kind, "fastapi") for kind in ("tracer", "meter", "logger")}


def test_the_producer_leaves_a_global_provider_alone(providers):
    app = create_app(Settings(_env_file=None))
    assert Client(app)("GET", "/openapi.json").is_success
    assert providers.asked == set()
