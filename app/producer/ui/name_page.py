"""`/ui/names/{name}`: a name, its versions, aliases and their history, its split, its shadow."""

from functools import partial

from fastapi import APIRouter, Request, Response

from app.concurrency import run_in_thread
from app.models.promotion import METRICS
from app.producer.callers.access import OwnerDep
from app.producer.routing.list_parameters import Cursor
from app.producer.routing.route_scopes import allow
from app.producer.services import ServicesDep
from app.producer.ui.name_facts import read_name_facts
from app.producer.ui.page_route import PageRoute
from app.producer.ui.pages import MODELS
from app.producer.ui.rendering import page
from app.protocol.types import QualifiedId

router = APIRouter(route_class=PageRoute, include_in_schema=False)


@router.get("/ui/names/{name}")
@allow(*MODELS)
async def name_page(
    name: QualifiedId,
    request: Request,
    services: ServicesDep,
    owner: OwnerDep,
    cursor: Cursor = None,
) -> Response:
    """Show a name. `cursor` is where its history begins."""
    facts = await read_name_facts(request, services, owner, name, cursor)
    shown = partial(page, request, "name.html", facts=facts, metrics=METRICS)
    return await run_in_thread(partial(shown, is_first=cursor is None))
