"""`/ui/names/{name}/promote`: point an alias to a version, after a page that asks and compares."""

from functools import partial
from typing import Any

from fastapi import APIRouter, Request, Response

from app import errors
from app.auth.identity import Scope
from app.concurrency import run_in_thread
from app.models.aliases import Alias, Wanted, read_alias
from app.models.versions import require_versions
from app.producer.callers.access import OwnerDep, own
from app.producer.callers.caller import ActorDep
from app.producer.promotion import checked, promote
from app.producer.routing.route_scopes import allow
from app.producer.services import Services, ServicesDep
from app.producer.ui.forms import read_fields
from app.producer.ui.name_forms import PromotionForm, promotion_of
from app.producer.ui.page_route import PageRoute
from app.producer.ui.rendering import page, redirect
from app.producer.ui.seen import alias_changes, unchanged_since
from app.protocol.types import QualifiedId

router = APIRouter(route_class=PageRoute, include_in_schema=False)


@router.get("/ui/names/{name}/promote")
@allow(Scope.MODELS)
async def ask_promotion(
    name: QualifiedId,
    request: Request,
    services: ServicesDep,
    owner: OwnerDep,
    alias: str = "",
    version: str = "",
    metric: str = "",
    why: str = "",
) -> Response:
    """Ask whether to point an alias to a version; with a metric, show how both compare."""
    full = own(owner, name, "name", "name")
    form = promotion_of({"alias": alias, "version": version, "metric": metric, "why": why})
    return await _compare_and_ask(request, services, full, form)


@router.post("/ui/names/{name}/promote")
@allow(Scope.MODELS)
async def promote_page(
    name: QualifiedId, request: Request, services: ServicesDep, owner: OwnerDep, by: ActorDep
) -> Response:
    """Point an alias to a version. Raises what `PUT /models/{name}/aliases/{alias}` does.

    A refusal by the comparison is shown with its numbers and a box to force it. If somebody has
    changed the alias since the page was loaded, the page says so and asks again. A form that is
    sent once more, by a second click, has done all that it asks for.
    """
    full, form = own(owner, name, "name", "name"), promotion_of(await read_fields(request))
    asked, check = Wanted(form.version, form.why, form.force), unchanged_since(form.seen)
    now = await run_in_thread(_present, services, full, form)
    try:
        check(now.change if now else None)
        await promote(services, full, form.alias, asked, form.metric, by, check)
    except errors.Conflict as error:
        if found := error.extra.get("comparison"):
            return await _ask(request, services, full, form, found, refused=True, status=409)
        if "was" not in error.extra:
            raise
        now = await run_in_thread(_present, services, full, form)
        if now is None or now.version != form.version:
            engine = services.jobs.engine
            changed = await run_in_thread(alias_changes, engine, full, form.alias, form.seen)
            return await _compare_and_ask(request, services, full, form, changed)
    return redirect(request, f"/ui/names/{name}")


async def _compare_and_ask(
    request: Request,
    services: Services,
    name: str,
    form: PromotionForm,
    changed: str | None = None,
) -> Response:
    """Return the page that asks, whatever the comparison says; `changed` is what it tells first."""
    asked = Wanted(form.version, form.why, forced=True)
    found, _ = await checked(services, name, form.alias, asked, form.metric, lambda _: None)
    refused, status = found.forced, 409 if changed else 200
    ask = partial(_ask, request, services, name, form, found.comparison)
    return await ask(refused=refused, status=status, changed=changed)


async def _ask(
    request: Request,
    services: Services,
    name: str,
    form: PromotionForm,
    comparison: dict[str, Any] | None,
    *,
    refused: bool,
    status: int,
    changed: str | None = None,
) -> Response:
    now = await run_in_thread(_present, services, name, form)
    ask = partial(page, request, "promotion.html", status, name=request.path_params["name"])
    return ask(form=form, now=now, comparison=comparison, refused=refused, changed=changed)


def _present(services: Services, name: str, form: PromotionForm) -> Alias | None:
    """Return what the alias is now. Raises `errors.NotFound`, and `Gone` for a deleted version."""
    engine = services.jobs.engine
    require_versions(engine, name, [form.version])
    try:
        return read_alias(engine, name, form.alias)
    except errors.NotFound:
        return None
