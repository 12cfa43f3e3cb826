"""Sharing: `/models/{id}/grants` and `/datasets/{id}/grants`."""

from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Path, Response

from app import errors
from app.auth.actor import Actor
from app.auth.grants import Kind
from app.auth.identity import Scope
from app.auth.names import is_latest
from app.concurrency import run_in_thread
from app.models.names import has_name
from app.producer.callers.access import OwnerDep, own
from app.producer.callers.caller import ActorDep
from app.producer.routing.conditional_route import NOT_MODIFIED, ConditionalRoute
from app.producer.routing.examples import example
from app.producer.routing.parameters import DatasetInPath
from app.producer.routing.route_scopes import allow
from app.producer.routing.strict_route import problem_responses
from app.producer.schemas.grants import GrantsAnswer
from app.producer.services import Services, ServicesDep
from app.protocol.examples import DELETED_MODEL_ID
from app.protocol.types import LATEST, Grantee, QualifiedId

_ModelId = Annotated[
    QualifiedId, Path(description="The model.", openapi_examples=example(DELETED_MODEL_ID))
]
_Grantee = Annotated[
    Grantee, Path(description="An owner, or `*` for all.", openapi_examples=example("blue"))
]

router = APIRouter(route_class=ConditionalRoute, tags=["catalogue"])
_LISTED: dict[str, Any] = {
    "response_model": GrantsAnswer,
    "responses": NOT_MODIFIED | problem_responses(404, 409, 410, 422, 503),
}
_CHANGED: dict[str, Any] = {
    "status_code": 204,
    "response_class": Response,
    "responses": problem_responses(404, 409, 410, 422, 503),
}
_GIVEN: dict[str, Any] = {
    **_CHANGED,
    "responses": {
        201: {"description": "The grant is new"},
        204: {"description": "The grant was there"},
        **_CHANGED["responses"],
    },
}


@router.get("/models/{model_id}/grants", **_LISTED)
@allow(Scope.MODELS)
async def model_grants(
    model_id: _ModelId, services: ServicesDep, owner: OwnerDep
) -> dict[str, Any]:
    """List who may read a model, beside its owner. Only the owner may ask."""
    return await _list(services, Kind.MODEL, await _model(services, owner, model_id))


@router.put("/models/{model_id}/grants/{grantee}", **_GIVEN)
@allow(Scope.MODELS)
async def grant_model(
    model_id: _ModelId, grantee: _Grantee, services: ServicesDep, owner: OwnerDep, by: ActorDep
) -> Response:
    """Let an owner, or all with `*`, read a model: see it, and predict with it.

    The name of models shares all its versions. They ask for it by `owner~id`. Of a trained model
    they see the training, too.
    """
    name = await _model(services, owner, model_id)
    return await _give(services, Kind.MODEL, name, owner, grantee, by)


@router.delete("/models/{model_id}/grants/{grantee}", **_CHANGED)
@allow(Scope.MODELS)
async def revoke_model(
    model_id: _ModelId, grantee: _Grantee, services: ServicesDep, owner: OwnerDep, by: ActorDep
) -> None:
    """Take a grant back, or do nothing if there is none. It is not valid after 2 seconds.

    Jobs that were accepted before come to their end.
    """
    name = await _model(services, owner, model_id)
    await run_in_thread(services.access.grants.revoke, Kind.MODEL, name, grantee, by)


@router.get("/datasets/{dataset_id}/grants", **_LISTED)
@allow(Scope.DATA)
async def dataset_grants(
    dataset_id: DatasetInPath, services: ServicesDep, owner: OwnerDep
) -> dict[str, Any]:
    """List who may read a data set, beside its owner. Only the owner may ask."""
    return await _list(services, Kind.DATASET, await _dataset(services, owner, dataset_id))


@router.put("/datasets/{dataset_id}/grants/{grantee}", **_GIVEN)
@allow(Scope.DATA)
async def grant_dataset(
    dataset_id: DatasetInPath,
    grantee: _Grantee,
    services: ServicesDep,
    owner: OwnerDep,
    by: ActorDep,
) -> Response:
    """Let an owner, or all with `*`, read a data set: see it, train on it, and have it scored.

    They ask for it by `owner~id`. Their models stay if the grant is taken back.
    """
    name = await _dataset(services, owner, dataset_id)
    return await _give(services, Kind.DATASET, name, owner, grantee, by)


@router.delete("/datasets/{dataset_id}/grants/{grantee}", **_CHANGED)
@allow(Scope.DATA)
async def revoke_dataset(
    dataset_id: DatasetInPath,
    grantee: _Grantee,
    services: ServicesDep,
    owner: OwnerDep,
    by: ActorDep,
) -> None:
    """Take a grant back, or do nothing if there is none. It is not valid after 2 seconds.

    Jobs that were accepted before come to their end.
    """
    name = await _dataset(services, owner, dataset_id)
    await run_in_thread(services.access.grants.revoke, Kind.DATASET, name, grantee, by)


async def _model(services: Services, owner: str, model_id: str) -> str:
    """Return the qualified id of one's own model, or a name. Raises the errors of the registry."""
    name = own(owner, model_id, "model_id", "model")
    if is_latest(name):
        detail = f"{LATEST} may be another model by now; use the model's id"
        raise errors.Invalid("model_id", detail)
    try:
        await run_in_thread(services.models.get, name)
    except errors.NotFound:
        if not await run_in_thread(has_name, services.jobs.engine, name):
            raise
    return name


async def _dataset(services: Services, owner: str, dataset_id: str) -> str:
    """Return the qualified name of one's own data set. Raises `errors.NotFound`."""
    name = own(owner, dataset_id, "dataset_id", "data set")
    if await run_in_thread(services.datasets.store.find, name) is None:
        raise await run_in_thread(services.datasets.store.not_found, name)
    return name


async def _list(services: Services, kind: Kind, name: str) -> dict[str, Any]:
    found = await run_in_thread(services.access.grants.list, kind, name)
    return {"grants": [asdict(each) for each in found]}


async def _give(
    services: Services, kind: Kind, name: str, owner: str, grantee: str, by: Actor
) -> Response:
    if grantee == owner:
        raise errors.Invalid("grantee", f"it belongs to {owner}, who may read it anyway")
    is_new = await run_in_thread(services.access.grants.give, kind, name, grantee, by)
    return Response(status_code=201 if is_new else 204)
