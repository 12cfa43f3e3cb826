"""`/ui/names/{name}/shadow`: set the shadow of a name, or end it, after a page that asks."""

from fastapi import APIRouter, Request, Response

from app import errors
from app.auth.identity import Scope
from app.concurrency import run_in_thread
from app.models.aliases import read_alias
from app.models.name_summaries import read_summaries
from app.models.shadows import (
    ShadowCheck,
    WantedShadow,
    delete_shadow,
    read_shadow,
    write_shadow,
)
from app.models.versions import require_versions
from app.producer.callers.access import OwnerDep, own
from app.producer.callers.caller import ActorDep
from app.producer.routing.route_scopes import allow
from app.producer.schemas.shadow import ShadowBody
from app.producer.services import Services, ServicesDep
from app.producer.ui.confirm_name import confirm
from app.producer.ui.forms import read_fields
from app.producer.ui.name_forms import shadow_of
from app.producer.ui.page_route import PageRoute
from app.producer.ui.rendering import redirect
from app.producer.ui.seen import shadow_text, still
from app.protocol.types import QualifiedId

router = APIRouter(route_class=PageRoute, include_in_schema=False)


@router.get("/ui/names/{name}/shadow")
@allow(Scope.MODELS)
async def ask_shadow(
    name: QualifiedId,
    request: Request,
    services: ServicesDep,
    owner: OwnerDep,
    alias: str = "",
    version: str = "",
    share: str = "",
) -> Response:
    """Ask whether to send calls of an alias to a shadow, too."""
    full = own(owner, name, "name", "name")
    wanted = shadow_of({"alias": alias, "version": version, "share": share})
    return await _ask_shadow(request, services, full, wanted)


@router.post("/ui/names/{name}/shadow")
@allow(Scope.MODELS)
async def set_shadow(
    name: QualifiedId, request: Request, services: ServicesDep, owner: OwnerDep, by: ActorDep
) -> Response:
    """Set the shadow of a name. Raises what `PUT /models/{name}/shadow` does."""
    full, fields = own(owner, name, "name", "name"), await read_fields(request)
    form, engine = shadow_of(fields), services.jobs.engine
    wanted = WantedShadow(form.alias, form.version, form.share)
    check: ShadowCheck = still("shadow", fields.get("seen"), wanted, shadow_text)
    try:
        await run_in_thread(write_shadow, engine, full, wanted, by, check)
    except errors.Conflict as error:
        return await _ask_shadow(request, services, full, form, error.detail)
    services.access.references.forget()
    return redirect(request, f"/ui/names/{name}")


async def _ask_shadow(
    request: Request,
    services: Services,
    name: str,
    wanted: ShadowBody,
    changed: str | None = None,
) -> Response:
    engine = services.jobs.engine
    await run_in_thread(require_versions, engine, name, [wanted.version])
    of = await run_in_thread(read_alias, engine, name, wanted.alias)
    now = (await run_in_thread(read_summaries, engine, [name]))[name].shadow
    asked = {**wanted.model_dump(), "seen": shadow_text(now)}
    shown = {"alias": of, "shadow": now}
    return confirm(request, "shadow", changed, now=shown, wanted=wanted, fields=asked)


@router.get("/ui/names/{name}/end-shadow")
@allow(Scope.MODELS)
async def ask_end_shadow(
    name: QualifiedId, request: Request, services: ServicesDep, owner: OwnerDep
) -> Response:
    """Ask whether to end the shadow of a name."""
    return await _ask_end_shadow(request, services, own(owner, name, "name", "name"))


@router.post("/ui/names/{name}/end-shadow")
@allow(Scope.MODELS)
async def finish_shadow(
    name: QualifiedId, request: Request, services: ServicesDep, owner: OwnerDep, by: ActorDep
) -> Response:
    """End the shadow of a name. Raises what `DELETE /models/{name}/shadow` does."""
    full, fields = own(owner, name, "name", "name"), await read_fields(request)
    check: ShadowCheck = still("shadow", fields.get("seen"), None, shadow_text)
    try:
        await run_in_thread(delete_shadow, services.jobs.engine, full, by, check)
    except errors.Conflict as error:
        return await _ask_end_shadow(request, services, full, error.detail)
    services.access.references.forget()
    return redirect(request, f"/ui/names/{name}")


async def _ask_end_shadow(
    request: Request, services: Services, name: str, changed: str | None = None
) -> Response:
    now = await run_in_thread(read_shadow, services.jobs.engine, name)
    return confirm(request, "end-shadow", changed, now=now, fields={"seen": shadow_text(now)})
