"""Requests are counted by route, method and status, also those that reach no route."""

import pytest
from starlette.middleware import Middleware

from app.observability.metrics.families import Histogram
from app.producer.app import create_app
from app.producer.middleware.http_metrics import HttpMetrics
from app.settings import Settings
from tests.unit.producer.middleware.test_security_headers import asked


def counted(method: str, path: str, *, times: int = 1, **headers: str) -> dict[tuple, int]:
    """What the middleware of an application counts of a request that is sent so often."""
    durations = Histogram("durations", "", ("route", "method", "code"), bounds=(1.0,))
    app = create_app(Settings(_env_file=None))
    (own,) = [each for each in app.user_middleware if each.cls is HttpMetrics]
    place = app.user_middleware.index(own)
    app.user_middleware[place] = Middleware(HttpMetrics, durations=durations)
    for _ in range(times):
        asked(app, method, path, **headers)
    return {labels: sum(counts) for labels, (counts, _) in durations.read().items()}


@pytest.mark.parametrize(
    ("method", "path", "headers", "labels"),
    [
        ("GET", "/health", {}, ("/health", "GET", "200")),
        ("GET", "/health/", {}, ("/health", "GET", "200")),
        ("HEAD", "/health", {}, ("/health", "HEAD", "200")),
        ("OPTIONS", "/jobs/a", {}, ("/jobs/{job_id}", "OPTIONS", "204")),
        ("PATCH", "/jobs/a", {}, ("/jobs/{job_id}", "PATCH", "405")),
        ("GET", "/predict", {}, ("/predict", "GET", "405")),
        ("POST", "/predict", {"Content-Encoding": "br"}, ("/predict", "POST", "415")),
        ("GET", "/jobs/a?limit=x", {}, ("/jobs/{job_id}", "GET", "422")),
        ("DELETE", "/jobs/a", {"Origin": "http://b.example"}, ("/jobs/{job_id}", "DELETE", "403")),
        ("PUT", "/datasets/a/b", {}, ("/datasets/{dataset_id}", "PUT", "500")),
        ("GET", "/static/nothing.js", {}, ("/static/{path}", "GET", "404")),
        ("GET", "/", {}, ("/", "GET", "200")),
        ("GET", "/nowhere/at/all", {}, ("unknown", "GET", "404")),
        ("BREW", "/health", {}, ("/health", "unknown", "405")),
        (
            "POST",
            "/warren/predict",
            {"X-Forwarded-Prefix": "/warren", "Content-Encoding": "br"},
            ("/predict", "POST", "415"),
        ),
    ],
)
def test_a_request_has_the_labels_of_its_route(method, path, headers, labels):
    assert counted(method, path, times=2, **headers) == {labels: 2}


def test_paths_that_nobody_serves_have_one_series_together():
    durations = Histogram("durations", "", ("route", "method", "code"), bounds=(1.0,))
    app = create_app(Settings(_env_file=None))
    app.user_middleware.insert(0, Middleware(HttpMetrics, durations=durations))
    for number in range(20):
        asked(app, f"M{number}", f"/nothing/{number}")
    assert list(durations.read()) == [("unknown", "unknown", "404")]
