"""Aliases of a name: `/models/{name}/aliases`."""

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request, Response

from app.auth.identity import Scope
from app.auth.shown_names import shown_members
from app.concurrency import run_in_thread
from app.database.paging import Page
from app.models.alias_history import read_history
from app.models.aliases import (
    Alias,
    Wanted,
    delete_alias,
    list_aliases,
    read_alias,
)
from app.producer.callers.access import OwnerDep, own
from app.producer.callers.caller import ActorDep
from app.producer.conditions.alias_conditions import CONDITIONS, alias_check, alias_tag
from app.producer.promotion import promote, switch_back
from app.producer.routing.examples import example
from app.producer.routing.list_parameters import Cursor, next_link, sorted_by
from app.producer.routing.parameters import Limit, NameInPath
from app.producer.routing.route_scopes import allow
from app.producer.routing.strict_route import StrictRoute, problem_responses
from app.producer.schemas.names import AliasBody, Aliases, AliasHistory, AliasView, ReasonBody
from app.producer.services import ServicesDep
from app.protocol.examples import DELETED_ALIAS, MODEL_ALIAS
from app.protocol.references import AliasName

_Alias = Annotated[
    AliasName,
    Path(description="An alias, such as `champion`.", openapi_examples=example(MODEL_ALIAS)),
]
_DeletedAlias = Annotated[
    AliasName, Path(description="The alias to delete.", openapi_examples=example(DELETED_ALIAS))
]
_NEWEST_FIRST = "-change"
_Sort = Annotated[
    str,
    sorted_by("change", metrics=False),
    Query(
        description="`-change` puts the newest first, `change` the oldest.",
        examples=[_NEWEST_FIRST],
    ),
]
_CHANGED: dict[str, Any] = {
    "response_model": AliasView,
    "responses": problem_responses(404, 409, 410, 412, 422, 503),
    "openapi_extra": {"parameters": CONDITIONS},
}

_PUT: dict[str, Any] = {
    **_CHANGED,
    "responses": {
        200: {"description": "It is there, and points to the version now"},
        201: {"model": AliasView, "description": "It is new"},
        **_CHANGED["responses"],
    },
}

router = APIRouter(route_class=StrictRoute, tags=["names"])


@router.get(
    "/models/{name}/aliases", response_model=Aliases, responses=problem_responses(404, 422, 503)
)
@allow(Scope.MODELS, Scope.TRAIN, Scope.PREDICT)
async def aliases(name: NameInPath, services: ServicesDep, owner: OwnerDep) -> dict[str, Any]:
    """List the aliases of a name, and the version to which each points."""
    full = await services.access.name(owner, name, "name")
    found = await run_in_thread(list_aliases, services.jobs.engine, full)
    return {"aliases": [_shown(owner, each) for each in found]}


@router.get(
    "/models/{name}/aliases/{alias}",
    response_model=AliasView,
    responses=problem_responses(404, 422, 503),
)
@allow(Scope.MODELS, Scope.TRAIN, Scope.PREDICT)
async def alias(
    name: NameInPath, alias: _Alias, response: Response, services: ServicesDep, owner: OwnerDep
) -> dict[str, Any]:
    """Tell to which version an alias points. Its `ETag` is the number of its newest change."""
    full = await services.access.name(owner, name, "name")
    found = await run_in_thread(read_alias, services.jobs.engine, full, alias)
    return _answer(owner, found, response)


@router.put("/models/{name}/aliases/{alias}", **_PUT)
@allow(Scope.MODELS)
async def put_alias(
    name: NameInPath,
    alias: _Alias,
    body: AliasBody,
    request: Request,
    response: Response,
    services: ServicesDep,
    owner: OwnerDep,
    by: ActorDep,
) -> dict[str, Any]:
    """Point an alias to a version, and make it if it is not there; seen everywhere in 2 seconds.

    The history keeps who did it, when and `why`. The version to which it points already changes
    nothing. With a `metric`, a version that is worse than the present one on the rows that tested
    that one is a 409 with both numbers, and so is one that was tested on other rows, unless `force`
    is true.
    """
    full, check = own(owner, name, "name", "name"), alias_check(request)
    asked = Wanted(body.version, body.why, body.force)

    def checked(change: int | None) -> None:
        check(change)
        response.status_code = 200 if change else 201

    found = await promote(services, full, alias, asked, body.metric, by, checked)
    return _answer(owner, found, response)


@router.post("/models/{name}/aliases/{alias}/rollback", **_CHANGED)
@allow(Scope.MODELS)
async def rollback(
    name: NameInPath,
    alias: _Alias,
    request: Request,
    response: Response,
    services: ServicesDep,
    owner: OwnerDep,
    by: ActorDep,
    body: ReasonBody | None = None,
) -> dict[str, Any]:
    """Point an alias to the version to which it pointed before.

    A second call goes back one more step. The history keeps each.
    """
    full, check = own(owner, name, "name", "name"), alias_check(request)
    found = await switch_back(services, full, alias, body.why if body else None, by, check)
    return _answer(owner, found, response)


@router.delete(
    "/models/{name}/aliases/{alias}",
    status_code=204,
    response_class=Response,
    responses=problem_responses(404, 412, 422, 503),
    openapi_extra={"parameters": CONDITIONS},
)
@allow(Scope.MODELS)
async def delete(
    name: NameInPath,
    alias: _DeletedAlias,
    request: Request,
    services: ServicesDep,
    owner: OwnerDep,
    by: ActorDep,
) -> None:
    """Delete an alias, or do nothing if there is none. Its history stays."""
    full, check = own(owner, name, "name", "name"), alias_check(request)
    await run_in_thread(delete_alias, services.jobs.engine, full, alias, None, by, check)
    services.access.references.forget()


@router.get(
    "/models/{name}/aliases/{alias}/history",
    response_model=AliasHistory,
    responses=problem_responses(404, 422, 503),
)
@allow(Scope.MODELS, Scope.TRAIN, Scope.PREDICT)
async def history(
    name: NameInPath,
    alias: _Alias,
    request: Request,
    response: Response,
    services: ServicesDep,
    owner: OwnerDep,
    sort: _Sort = _NEWEST_FIRST,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> dict[str, Any]:
    """List the changes of an alias, also of a deleted one, the newest first.

    Nobody can change or delete them.
    """
    full, page = await services.access.name(owner, name, "name"), Page(limit, sort, cursor)
    found, following = await run_in_thread(read_history, services.jobs.engine, full, alias, page)
    response.headers.update(next_link(request, following))
    return {"history": found, "next": following}


def _answer(owner: str, found: Alias, response: Response) -> dict[str, Any]:
    response.headers["ETag"] = alias_tag(found.change)
    return _shown(owner, found)


def _shown(owner: str, alias: Alias) -> dict[str, Any]:
    return shown_members(owner, vars(alias), ("model_id",))
