"""`/ui/names/{name}/split`: split the calls of a name, or end that, after a page that asks."""

from fastapi import APIRouter, Request, Response

from app import errors
from app.auth.actor import Actor
from app.auth.identity import Scope
from app.concurrency import run_in_thread
from app.models.names import Split, read_name, write_split
from app.models.versions import require_versions
from app.producer.callers.access import OwnerDep, own
from app.producer.callers.caller import ActorDep
from app.producer.routing.route_scopes import allow
from app.producer.schemas.names import SplitBody
from app.producer.services import Services, ServicesDep
from app.producer.ui.confirm_name import confirm
from app.producer.ui.forms import read_fields
from app.producer.ui.name_forms import split_of
from app.producer.ui.page_route import PageRoute
from app.producer.ui.rendering import redirect
from app.producer.ui.seen import split_text, still
from app.protocol.types import QualifiedId

router = APIRouter(route_class=PageRoute, include_in_schema=False)


@router.get("/ui/names/{name}/split")
@allow(Scope.MODELS)
async def ask_split(
    name: QualifiedId, request: Request, services: ServicesDep, owner: OwnerDep, weights: str = ""
) -> Response:
    """Ask whether to split the calls of a name."""
    full, wanted = own(owner, name, "name", "name"), split_of({"weights": weights})
    return await _ask_split(request, services, full, wanted)


@router.post("/ui/names/{name}/split")
@allow(Scope.MODELS)
async def set_split(
    name: QualifiedId, request: Request, services: ServicesDep, owner: OwnerDep, by: ActorDep
) -> Response:
    """Split the calls of a name. Raises what `PUT /models/{name}/split` does."""
    full, fields = own(owner, name, "name", "name"), await read_fields(request)
    return await _change_split(request, services, full, split_of(fields), fields.get("seen"), by)


@router.get("/ui/names/{name}/end-split")
@allow(Scope.MODELS)
async def ask_end_split(
    name: QualifiedId, request: Request, services: ServicesDep, owner: OwnerDep
) -> Response:
    """Ask whether to end the split of a name."""
    return await _ask_split(request, services, own(owner, name, "name", "name"), None)


@router.post("/ui/names/{name}/end-split")
@allow(Scope.MODELS)
async def finish_split(
    name: QualifiedId, request: Request, services: ServicesDep, owner: OwnerDep, by: ActorDep
) -> Response:
    """End the split of a name. Raises what `DELETE /models/{name}/split` does."""
    full, fields = own(owner, name, "name", "name"), await read_fields(request)
    return await _change_split(request, services, full, None, fields.get("seen"), by)


async def _change_split(
    request: Request,
    services: Services,
    name: str,
    wanted: SplitBody | None,
    seen: str | None,
    by: Actor,
) -> Response:
    split: Split = wanted.weights if wanted else None
    weights = None if split is None else {int(n): weight for n, weight in split.items()}
    check = still("split", seen, split, split_text)
    try:
        await run_in_thread(write_split, services.jobs.engine, name, weights, by, check)
    except errors.Conflict as error:
        return await _ask_split(request, services, name, wanted, error.detail)
    services.access.references.forget()
    return redirect(request, f"/ui/names/{request.path_params['name']}")


async def _ask_split(
    request: Request,
    services: Services,
    name: str,
    wanted: SplitBody | None,
    changed: str | None = None,
) -> Response:
    engine, action = services.jobs.engine, "split" if wanted else "end-split"
    asked = {"weights": split_text(wanted.weights)} if wanted else {}
    if wanted:
        await run_in_thread(require_versions, engine, name, map(int, wanted.weights))
    now = await run_in_thread(read_name, engine, name)
    asked["seen"] = split_text(now.split)
    shown = wanted and wanted.weights
    return confirm(request, action, changed, now=now, wanted=shown, fields=asked)
