"""Every route of the application: a route that comes, goes or changes its class is seen here."""

from fastapi.routing import APIRoute, iter_route_contexts
from starlette.routing import Mount, Route

from app.producer import app
from app.producer.app import create_app
from app.producer.http.conditional_route import ConditionalRoute
from app.producer.http.fallback import Fallback
from app.producer.http.raw_route import RawRoute
from app.producer.http.strict_route import StrictRoute
from app.producer.routes import predict
from app.settings import Settings

ROUTES = {
    # FastAPI's own: the document, its pages, and what these load
    ("GET", "/openapi.json"): Route,
    ("HEAD", "/openapi.json"): Route,
    ("*", "/static"): Mount,
    ("GET", "/docs"): APIRoute,
    ("GET", "/docs/oauth2-redirect"): APIRoute,
    ("GET", "/redoc"): APIRoute,
    # raw: the endpoint gets the request, and dependencies do not run
    ("POST", "/predict"): RawRoute,
    ("POST", "/predict/parallel"): RawRoute,
    ("POST", "/predict/async"): RawRoute,
    ("POST", "/predict/sync_async"): RawRoute,
    ("GET", "/ping"): RawRoute,
    ("POST", "/invocations"): RawRoute,
    ("GET", "/execution-parameters"): RawRoute,
    # strict: FastAPI's, with strict JSON
    ("GET", "/"): StrictRoute,
    ("GET", "/health"): StrictRoute,
    ("GET", "/health/all"): StrictRoute,
    ("POST", "/train"): StrictRoute,
    ("GET", "/jobs"): StrictRoute,
    ("GET", "/jobs/{job_id}"): StrictRoute,
    ("GET", "/job/{job_id}"): StrictRoute,
    ("DELETE", "/jobs/{job_id}"): StrictRoute,
    ("GET", "/jobs/{job_id}/events"): StrictRoute,
    ("GET", "/job/{job_id}/events"): StrictRoute,
    ("PUT", "/models/{model_id}"): StrictRoute,
    # conditional: strict, with an ETag
    ("GET", "/predict/test"): ConditionalRoute,
    ("GET", "/metadata"): ConditionalRoute,
    ("GET", "/models"): ConditionalRoute,
    ("GET", "/models/{model_id}"): ConditionalRoute,
    ("GET", "/datasets"): ConditionalRoute,
    ("PUT", "/datasets/{dataset_id:path}"): ConditionalRoute,
    # what no other route takes
    ("*", None): Fallback,
}


def test_the_application_has_these_routes_and_no_others() -> None:
    found = [
        ((method, context.path), type(context.original_route))
        for context in iter_route_contexts(create_app(Settings(_env_file=None)).routes)
        for method in context.methods or ["*"]
    ]
    assert dict(found) == ROUTES
    assert len(found) == len(ROUTES), "a route is there twice"


def test_the_router_tries_predict_first() -> None:
    """Each route before it would cost every prediction the comparison of its path."""
    assert app.ROUTES[0] is predict
