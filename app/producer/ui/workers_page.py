"""`/ui/workers`: the consumers that are heard of."""

from fastapi import APIRouter, Request, Response

from app.auth.identity import Scope
from app.producer.routes.workers import workers
from app.producer.routing.route_scopes import allow
from app.producer.services import ServicesDep
from app.producer.ui.page_route import PageRoute
from app.producer.ui.refresh import refresh_seconds
from app.producer.ui.rendering import page

router = APIRouter(route_class=PageRoute, include_in_schema=False)


@router.get("/ui/workers")
@allow(Scope.METRICS, Scope.ADMIN)
async def workers_page(request: Request, services: ServicesDep) -> Response:
    """Show what `GET /workers` lists."""
    found = await workers(services)
    return page(request, "workers.html", found=found, refresh=refresh_seconds(request))
