"""`GET /metrics`: what this producer counts, for Prometheus."""

from fastapi import APIRouter, Request, Response

from app.auth.identity import Scope
from app.producer.routing.route_scopes import allow
from app.producer.routing.strict_route import StrictRoute, problem_responses
from app.producer.services import ServicesDep

router = APIRouter(route_class=StrictRoute, tags=["health"])


@router.get(
    "/metrics",
    response_class=Response,
    responses={
        **problem_responses(422),
        200: {"content": {"text/plain": {}, "application/openmetrics-text": {}}},
    },
)
@allow(Scope.METRICS, Scope.ADMIN)
async def metrics(request: Request, services: ServicesDep) -> Response:
    """Return the metrics of this process, as text or in OpenMetrics if `Accept` asks for it.

    The numbers of jobs and queues are those of all processes. docs/monitoring.md lists all metrics.
    """
    body, media_type = await services.scrapes.render(
        services.jobs.engine, services.rpc, services.disks, request.headers.get("accept", "")
    )
    return Response(body, headers={"Content-Type": media_type, "Cache-Control": "no-store"})
