"""Delete a model or a data set, after a page that asks."""

from typing import Any

from fastapi import APIRouter, Request, Response

from app.auth.grants import Kind
from app.auth.identity import Scope
from app.concurrency import run_in_thread
from app.datasets.retention import delete_dataset
from app.producer.callers.access import OwnerDep, own
from app.producer.callers.caller import ActorDep
from app.producer.routes.models import delete, model
from app.producer.routing.route_scopes import allow
from app.producer.services import Services, ServicesDep
from app.producer.ui.forms import read_fields
from app.producer.ui.page_route import PageRoute
from app.producer.ui.rendering import page, redirect
from app.protocol.types import QualifiedId

router = APIRouter(route_class=PageRoute, include_in_schema=False)


@router.get("/ui/models/{model_id}/delete")
@allow(Scope.MODELS)
async def ask_delete_model(
    model_id: QualifiedId, request: Request, services: ServicesDep, owner: OwnerDep
) -> Response:
    """Ask whether to delete a model."""
    own(owner, model_id, "model_id", "model")
    found: dict[str, Any] = await model(model_id, services, owner, Response())
    return page(request, "delete_model.html", model=found)


@router.post("/ui/models/{model_id}/delete")
@allow(Scope.MODELS)
async def delete_model_page(
    model_id: QualifiedId, request: Request, services: ServicesDep, owner: OwnerDep, by: ActorDep
) -> Response:
    """Delete a model. Raises what `DELETE /models/{id}` does."""
    await delete(model_id, services, owner, by)
    return redirect(request, "/ui/models")


@router.get("/ui/datasets/{dataset_id}/delete")
@allow(Scope.DATA)
async def ask_delete_dataset(
    dataset_id: QualifiedId, request: Request, services: ServicesDep, owner: OwnerDep
) -> Response:
    """Ask whether to delete a data set."""
    return await _ask_dataset(request, services, own(owner, dataset_id, "dataset_id", "data set"))


@router.post("/ui/datasets/{dataset_id}/delete")
@allow(Scope.DATA)
async def delete_dataset_page(
    dataset_id: QualifiedId, request: Request, services: ServicesDep, owner: OwnerDep, by: ActorDep
) -> Response:
    """Delete a data set with all its versions, if its content is still what the page has shown."""
    name = own(owner, dataset_id, "dataset_id", "data set")
    seen = (await read_fields(request)).get("seen")
    now = await run_in_thread(services.datasets.current, name)
    if now and now.version != seen:
        return await _ask_dataset(request, services, name, changed=True)
    await run_in_thread(delete_dataset, services.datasets, name, by)
    services.access.grants.forget(Kind.DATASET, name)
    return redirect(request, "/ui/datasets")


async def _ask_dataset(
    request: Request, services: Services, name: str, *, changed: bool = False
) -> Response:
    now = await run_in_thread(services.datasets.current, name)
    if now is None:
        raise await run_in_thread(services.datasets.store.not_found, name)
    asked = {"name": request.path_params["dataset_id"], "now": now, "changed": changed}
    return page(request, "delete_dataset.html", 409 if changed else 200, **asked)
