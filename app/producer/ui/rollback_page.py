"""`/ui/names/{name}/rollback`: point an alias to what it meant before, after a page that asks."""

from fastapi import APIRouter, Request, Response

from app import errors
from app.auth.identity import Scope
from app.concurrency import run_in_thread
from app.models.aliases import read_alias, version_before
from app.producer.callers.access import OwnerDep, own
from app.producer.callers.caller import ActorDep
from app.producer.promotion import switch_back
from app.producer.routing.route_scopes import allow
from app.producer.services import Services, ServicesDep
from app.producer.ui.confirm_name import confirm
from app.producer.ui.forms import read_fields
from app.producer.ui.name_forms import RollbackForm, rollback_of
from app.producer.ui.page_route import PageRoute
from app.producer.ui.rendering import redirect
from app.producer.ui.seen import alias_changes, unchanged_since
from app.protocol.types import QualifiedId

router = APIRouter(route_class=PageRoute, include_in_schema=False)


@router.get("/ui/names/{name}/rollback")
@allow(Scope.MODELS)
async def ask_rollback(
    name: QualifiedId, request: Request, services: ServicesDep, owner: OwnerDep, alias: str = ""
) -> Response:
    """Ask whether to point an alias to the version to which it pointed before."""
    full, form = own(owner, name, "name", "name"), rollback_of({"alias": alias})
    return await _ask_rollback(request, services, full, form)


@router.post("/ui/names/{name}/rollback")
@allow(Scope.MODELS)
async def rollback(
    name: QualifiedId, request: Request, services: ServicesDep, owner: OwnerDep, by: ActorDep
) -> Response:
    """Roll back. Raises what `POST /models/{name}/aliases/{alias}/rollback` does."""
    full, form = own(owner, name, "name", "name"), rollback_of(await read_fields(request))
    try:
        await switch_back(services, full, form.alias, form.why, by, unchanged_since(form.seen))
    except errors.Conflict as error:
        if "was" not in error.extra:
            raise
        engine = services.jobs.engine
        changed = await run_in_thread(alias_changes, engine, full, form.alias, form.seen)
        return await _ask_rollback(request, services, full, form, changed)
    return redirect(request, f"/ui/names/{name}")


async def _ask_rollback(
    request: Request,
    services: Services,
    name: str,
    form: RollbackForm,
    changed: str | None = None,
) -> Response:
    engine = services.jobs.engine
    try:
        before = await run_in_thread(version_before, engine, name, form.alias)
    except errors.FieldError as error:  # there is nothing any more to which it can go back
        raise (
            error.renamed("alias", f"{changed}; {error.message}") if changed else error
        ) from None
    now = await run_in_thread(read_alias, engine, name, form.alias)
    asked = {"alias": form.alias, "seen": now.change}
    return confirm(request, "rollback", changed, now=now, wanted=before, why=form.why, fields=asked)
