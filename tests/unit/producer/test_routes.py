"""Every route of the application: a route that comes, goes or changes its class is seen here."""

from fastapi.routing import APIRoute, iter_route_contexts
from starlette.routing import Mount, Route

from app.producer.app import create_app
from app.producer.routes.datasets import UploadRoute
from app.producer.routing.conditional_route import ConditionalRoute
from app.producer.routing.fallback import Fallback
from app.producer.routing.raw_route import RawRoute
from app.producer.routing.strict_route import StrictRoute
from app.producer.ui.page_route import PageRoute
from app.settings import Settings

ROUTES = {
    # FastAPI's own: the document, its pages, and what these load
    ("GET", "/openapi.json"): Route,
    ("HEAD", "/openapi.json"): Route,
    ("*", "/static"): Mount,
    ("GET", "/docs"): APIRoute,
    ("GET", "/redoc"): APIRoute,
    # raw: the endpoint gets the request, and dependencies do not run
    ("POST", "/predict"): RawRoute,
    ("POST", "/predict/parallel"): RawRoute,
    ("POST", "/predict/async"): RawRoute,
    ("POST", "/predict/batch"): StrictRoute,
    ("GET", "/jobs/{job_id}/result"): StrictRoute,
    ("POST", "/predict/sync_async"): RawRoute,
    ("GET", "/ping"): RawRoute,
    ("POST", "/invocations"): RawRoute,
    ("GET", "/execution-parameters"): RawRoute,
    ("POST", "/v2/models/{model_id}/infer"): RawRoute,
    ("POST", "/v2/models/{model_id}/versions/{version}/infer"): RawRoute,
    ("GET", "/v2"): StrictRoute,
    ("GET", "/v2/health/live"): StrictRoute,
    ("GET", "/v2/health/ready"): StrictRoute,
    ("GET", "/v2/models/{model_id}"): StrictRoute,
    ("GET", "/v2/models/{model_id}/ready"): StrictRoute,
    ("GET", "/v2/models/{model_id}/versions/{version}"): StrictRoute,
    ("GET", "/v2/models/{model_id}/versions/{version}/ready"): StrictRoute,
    ("POST", "/v2/repository/index"): StrictRoute,
    # strict: FastAPI's, with strict JSON
    ("GET", "/"): StrictRoute,
    ("GET", "/health"): StrictRoute,
    ("GET", "/health/all"): StrictRoute,
    ("GET", "/metrics"): StrictRoute,
    ("GET", "/workers"): StrictRoute,
    ("POST", "/train"): StrictRoute,
    ("GET", "/jobs"): StrictRoute,
    ("GET", "/jobs/{job_id}"): StrictRoute,
    ("GET", "/job/{job_id}"): StrictRoute,
    ("GET", "/jobs/{job_id}/attempts"): StrictRoute,
    ("DELETE", "/jobs/{job_id}"): StrictRoute,
    ("GET", "/jobs/{job_id}/events"): StrictRoute,
    ("GET", "/job/{job_id}/events"): StrictRoute,
    ("GET", "/jobs/{job_id}/log"): StrictRoute,
    ("PUT", "/models/{model_id}"): StrictRoute,
    ("GET", "/audit"): StrictRoute,
    ("GET", "/keys"): StrictRoute,
    ("POST", "/keys"): StrictRoute,
    ("POST", "/keys/{key_id}/rotate"): StrictRoute,
    ("DELETE", "/keys/{key_id}"): StrictRoute,
    ("GET", "/login"): StrictRoute,
    ("POST", "/login"): StrictRoute,
    ("POST", "/logout"): StrictRoute,
    ("GET", "/ui/static/{file}"): StrictRoute,
    # pages: conditional, for the addresses that forms make
    ("GET", "/ui"): PageRoute,
    ("GET", "/ui/jobs"): PageRoute,
    ("GET", "/ui/jobs/{job_id}"): PageRoute,
    ("GET", "/ui/job"): PageRoute,
    ("GET", "/ui/jobs/{job_id}/cancel"): PageRoute,
    ("POST", "/ui/jobs/{job_id}/cancel"): PageRoute,
    ("GET", "/ui/jobs/{job_id}/again"): PageRoute,
    ("POST", "/ui/jobs/{job_id}/again"): PageRoute,
    ("GET", "/ui/cancel-jobs"): PageRoute,
    ("POST", "/ui/cancel-jobs"): PageRoute,
    ("GET", "/ui/run-jobs-again"): PageRoute,
    ("POST", "/ui/run-jobs-again"): PageRoute,
    ("GET", "/ui/models"): PageRoute,
    ("GET", "/ui/compare"): PageRoute,
    ("GET", "/ui/models/{model_id}"): PageRoute,
    ("POST", "/ui/models/{model_id}"): PageRoute,
    ("GET", "/ui/models/{model_id}/report.html"): PageRoute,
    ("GET", "/ui/models/{model_id}/report.md"): PageRoute,
    ("GET", "/ui/models/{model_id}/delete"): PageRoute,
    ("POST", "/ui/models/{model_id}/delete"): PageRoute,
    ("GET", "/ui/names"): PageRoute,
    ("GET", "/ui/name"): PageRoute,
    ("GET", "/ui/names/{name}"): PageRoute,
    ("GET", "/ui/names/{name}/promote"): PageRoute,
    ("POST", "/ui/names/{name}/promote"): PageRoute,
    ("GET", "/ui/names/{name}/rollback"): PageRoute,
    ("POST", "/ui/names/{name}/rollback"): PageRoute,
    ("GET", "/ui/names/{name}/split"): PageRoute,
    ("POST", "/ui/names/{name}/split"): PageRoute,
    ("GET", "/ui/names/{name}/end-split"): PageRoute,
    ("POST", "/ui/names/{name}/end-split"): PageRoute,
    ("GET", "/ui/names/{name}/shadow"): PageRoute,
    ("POST", "/ui/names/{name}/shadow"): PageRoute,
    ("GET", "/ui/names/{name}/end-shadow"): PageRoute,
    ("POST", "/ui/names/{name}/end-shadow"): PageRoute,
    ("GET", "/ui/datasets"): PageRoute,
    ("GET", "/ui/datasets/{dataset_id}"): PageRoute,
    ("GET", "/ui/datasets/{dataset_id}/delete"): PageRoute,
    ("POST", "/ui/datasets/{dataset_id}/delete"): PageRoute,
    ("GET", "/ui/upload"): PageRoute,
    ("POST", "/ui/datasets/{dataset_id}/upload"): PageRoute,
    ("GET", "/ui/train"): PageRoute,
    ("POST", "/ui/train"): PageRoute,
    ("GET", "/ui/workers"): PageRoute,
    ("GET", "/asyncapi"): PageRoute,
    ("GET", "/asyncapi.json"): ConditionalRoute,
    ("GET", "/ui/dead-letters"): PageRoute,
    ("GET", "/ui/dead-letters/ask"): PageRoute,
    ("POST", "/ui/dead-letters"): PageRoute,
    # conditional: strict, with an ETag
    ("GET", "/predict/test"): ConditionalRoute,
    ("GET", "/metadata"): ConditionalRoute,
    ("GET", "/models"): ConditionalRoute,
    ("GET", "/models/{model_id}"): ConditionalRoute,
    ("DELETE", "/models/{model_id}"): ConditionalRoute,
    ("GET", "/models/{model_id}/file"): StrictRoute,
    ("GET", "/models/{model_id}/export"): StrictRoute,
    ("GET", "/models/{model_id}/evaluation"): ConditionalRoute,
    ("GET", "/models/{model_id}/grants"): ConditionalRoute,
    ("PUT", "/models/{model_id}/grants/{grantee}"): ConditionalRoute,
    ("DELETE", "/models/{model_id}/grants/{grantee}"): ConditionalRoute,
    ("GET", "/datasets/{dataset_id}/grants"): ConditionalRoute,
    ("PUT", "/datasets/{dataset_id}/grants/{grantee}"): ConditionalRoute,
    ("DELETE", "/datasets/{dataset_id}/grants/{grantee}"): ConditionalRoute,
    ("GET", "/datasets"): ConditionalRoute,
    ("GET", "/datasets/{dataset_id}"): ConditionalRoute,
    ("DELETE", "/datasets/{dataset_id}"): ConditionalRoute,
    ("GET", "/datasets/{dataset_id}/file"): StrictRoute,
    ("PUT", "/datasets/{dataset_id:path}"): UploadRoute,
    ("GET", "/names"): ConditionalRoute,
    ("GET", "/names/{name}"): ConditionalRoute,
    ("PUT", "/names/{name}"): ConditionalRoute,
    ("DELETE", "/names/{name}"): ConditionalRoute,
    ("PUT", "/models/{name}/split"): ConditionalRoute,
    ("DELETE", "/models/{name}/split"): ConditionalRoute,
    ("PUT", "/models/{name}/shadow"): ConditionalRoute,
    ("GET", "/models/{name}/shadow"): ConditionalRoute,
    ("DELETE", "/models/{name}/shadow"): ConditionalRoute,
    ("GET", "/models/{name}/versions"): ConditionalRoute,
    ("GET", "/models/{name}/versions/{version}"): ConditionalRoute,
    ("PUT", "/models/{name}/versions/{version}"): ConditionalRoute,
    ("GET", "/models/{name}/aliases"): StrictRoute,
    ("GET", "/models/{name}/aliases/{alias}"): StrictRoute,
    ("PUT", "/models/{name}/aliases/{alias}"): StrictRoute,
    ("DELETE", "/models/{name}/aliases/{alias}"): StrictRoute,
    ("POST", "/models/{name}/aliases/{alias}/rollback"): StrictRoute,
    ("GET", "/models/{name}/aliases/{alias}/history"): StrictRoute,
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


def test_predictions_are_routes_of_the_application_itself() -> None:
    """To look into an included router would cost every prediction microseconds."""
    found = [each for each in create_app(Settings(_env_file=None)).routes if type(each) is RawRoute]
    assert [each.path for each in found] == [
        "/predict",
        "/v2/models/{model_id}/infer",
        "/v2/models/{model_id}/versions/{version}/infer",
    ]
