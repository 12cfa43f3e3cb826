"""Roll an alias back, set or end a split or a shadow, each after a page that asks."""

from typing import Any

from fastapi import APIRouter, Request, Response

from app.auth.identity import Scope
from app.concurrency import run_in_thread
from app.models.aliases import read_alias, version_before
from app.models.name_summaries import read_summaries
from app.models.names import read_name
from app.models.shadows import read_shadow
from app.models.versions import require_versions
from app.producer.http.access import OwnerDep, own
from app.producer.http.caller import ActorDep
from app.producer.http.route_scopes import allow
from app.producer.promotion import switch_back
from app.producer.routes.names import end_split, split
from app.producer.routes.shadow import end_shadow, put_shadow
from app.producer.services import ServicesDep
from app.producer.ui.forms import read_fields
from app.producer.ui.name_forms import rollback_of, shadow_of, split_of, unchanged_since
from app.producer.ui.page_route import PageRoute
from app.producer.ui.rendering import page, redirect
from app.protocol.types import QualifiedId

router = APIRouter(route_class=PageRoute, include_in_schema=False)


@router.get("/ui/names/{name}/rollback")
@allow(Scope.MODELS)
async def ask_rollback(
    name: QualifiedId, request: Request, services: ServicesDep, owner: OwnerDep, alias: str = ""
) -> Response:
    """Ask whether to point an alias to the version to which it pointed before."""
    full, form = own(owner, name, "name", "name"), rollback_of({"alias": alias})
    before = await run_in_thread(version_before, services.jobs.engine, full, form.alias)
    now = await run_in_thread(read_alias, services.jobs.engine, full, form.alias)
    return _ask(
        request, name, "rollback", now=now, wanted=before, alias=form.alias, seen=now.change
    )


@router.post("/ui/names/{name}/rollback")
@allow(Scope.MODELS)
async def rollback(
    name: QualifiedId, request: Request, services: ServicesDep, owner: OwnerDep, by: ActorDep
) -> Response:
    """Roll back. Raises what `POST /models/{name}/aliases/{alias}/rollback` does."""
    full, form = own(owner, name, "name", "name"), rollback_of(await read_fields(request))
    await switch_back(services, full, form.alias, form.why, by, unchanged_since(form.seen))
    return redirect(request, f"/ui/names/{name}")


@router.get("/ui/names/{name}/split")
@allow(Scope.MODELS)
async def ask_split(
    name: QualifiedId, request: Request, services: ServicesDep, owner: OwnerDep, weights: str = ""
) -> Response:
    """Ask whether to split the calls of a name."""
    full, wanted = own(owner, name, "name", "name"), split_of({"weights": weights}).weights
    await run_in_thread(require_versions, services.jobs.engine, full, map(int, wanted))
    now = await run_in_thread(read_name, services.jobs.engine, full)
    return _ask(request, name, "split", now=now, wanted=wanted, weights=weights)


@router.post("/ui/names/{name}/split")
@allow(Scope.MODELS)
async def set_split(
    name: QualifiedId, request: Request, services: ServicesDep, owner: OwnerDep, by: ActorDep
) -> Response:
    """Split the calls of a name. Raises what `PUT /models/{name}/split` does."""
    await split(name, split_of(await read_fields(request)), services, owner, by)
    return redirect(request, f"/ui/names/{name}")


@router.get("/ui/names/{name}/end-split")
@allow(Scope.MODELS)
async def ask_end_split(
    name: QualifiedId, request: Request, services: ServicesDep, owner: OwnerDep
) -> Response:
    """Ask whether to end the split of a name."""
    now = await run_in_thread(read_name, services.jobs.engine, own(owner, name, "name", "name"))
    return _ask(request, name, "end-split", now=now)


@router.post("/ui/names/{name}/end-split")
@allow(Scope.MODELS)
async def finish_split(
    name: QualifiedId, request: Request, services: ServicesDep, owner: OwnerDep, by: ActorDep
) -> Response:
    """End the split of a name. Raises what `DELETE /models/{name}/split` does."""
    await end_split(name, services, owner, by)
    return redirect(request, f"/ui/names/{name}")


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
    full, fields = own(owner, name, "name", "name"), {"alias": alias, "version": version}
    wanted, engine = shadow_of({**fields, "share": share}), services.jobs.engine
    await run_in_thread(require_versions, engine, full, [wanted.version])
    of = await run_in_thread(read_alias, engine, full, wanted.alias)
    summaries = await run_in_thread(read_summaries, engine, [full])
    now = {"alias": of, "shadow": summaries[full].shadow}
    return _ask(request, name, "shadow", now=now, wanted=wanted, share=share, **fields)


@router.post("/ui/names/{name}/shadow")
@allow(Scope.MODELS)
async def set_shadow(
    name: QualifiedId, request: Request, services: ServicesDep, owner: OwnerDep, by: ActorDep
) -> Response:
    """Set the shadow of a name. Raises what `PUT /models/{name}/shadow` does."""
    wanted = shadow_of(await read_fields(request))
    await put_shadow(name, wanted, Response(), services, owner, by)
    return redirect(request, f"/ui/names/{name}")


@router.get("/ui/names/{name}/end-shadow")
@allow(Scope.MODELS)
async def ask_end_shadow(
    name: QualifiedId, request: Request, services: ServicesDep, owner: OwnerDep
) -> Response:
    """Ask whether to end the shadow of a name."""
    now = await run_in_thread(read_shadow, services.jobs.engine, own(owner, name, "name", "name"))
    return _ask(request, name, "end-shadow", now=now)


@router.post("/ui/names/{name}/end-shadow")
@allow(Scope.MODELS)
async def finish_shadow(
    name: QualifiedId, request: Request, services: ServicesDep, owner: OwnerDep, by: ActorDep
) -> Response:
    """End the shadow of a name. Raises what `DELETE /models/{name}/shadow` does."""
    await end_shadow(name, services, owner, by)
    return redirect(request, f"/ui/names/{name}")


def _ask(
    request: Request,
    name: str,
    action: str,
    *,
    now: object = None,
    wanted: object = None,
    **fields: Any,
) -> Response:
    """Return the page that asks; the `fields` go with its form."""
    asked: dict[str, Any] = {
        "name": name,
        "action": action,
        "now": now,
        "wanted": wanted,
        "fields": fields,
    }
    return page(request, "confirm_name.html", **asked)
