"""`/ui/names`: the names of models, page by page."""

from typing import Annotated

from fastapi import APIRouter, Request, Response

from app.auth.names import qualified
from app.concurrency import run_in_thread
from app.models.name_summaries import read_summaries
from app.models.names import SORTS
from app.producer.callers.access import OwnerDep
from app.producer.routes.names import names
from app.producer.routing.list_parameters import Cursor, WithTag, sorted_by
from app.producer.routing.route_scopes import allow
from app.producer.services import ServicesDep
from app.producer.ui.page_route import PageRoute
from app.producer.ui.pages import MODELS
from app.producer.ui.rendering import page, redirect
from app.protocol.types import QualifiedId

_ROWS = 50
_NEWEST = "-created_at"

router = APIRouter(route_class=PageRoute, include_in_schema=False)


@router.get("/ui/names")
@allow(*MODELS)
async def names_page(
    request: Request,
    services: ServicesDep,
    owner: OwnerDep,
    tag: WithTag = None,
    sort: Annotated[str, sorted_by(*SORTS, metrics=False)] = _NEWEST,
    cursor: Cursor = None,
) -> Response:
    """Show names with their aliases, split and shadow: the newest first, unless `sort` differs."""
    found = await names(request, Response(), services, owner, tag, sort, _ROWS, cursor)
    full = [qualified(owner, each["name"]) for each in found["names"]]
    summaries = await run_in_thread(read_summaries, services.jobs.engine, full)
    return page(
        request,
        "names.html",
        names=[(each, summaries[qualified(owner, each["name"])]) for each in found["names"]],
        query={"tag": tag} if tag else {},
        sort=sort,
        following=found["next"],
        is_first=cursor is None,
    )


@router.get("/ui/name")
@allow(*MODELS)
async def find_name(request: Request, name: QualifiedId) -> Response:
    """Go to the page of a name, also of one that another owner shares."""
    return redirect(request, f"/ui/names/{name}")
