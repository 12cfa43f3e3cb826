"""Names of models: `/names`, and how calls of one are split."""

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request, Response

from app.auth.grants import Kind
from app.auth.identity import Scope
from app.auth.shown_names import shown_members
from app.concurrency import run_in_thread
from app.database.paging import Page
from app.models.names import SORTS, delete_name, describe_name, list_names, read_name, write_split
from app.producer.callers.access import OwnerDep, own
from app.producer.callers.caller import ActorDep
from app.producer.routing.conditional_route import NOT_MODIFIED, ConditionalRoute
from app.producer.routing.examples import example
from app.producer.routing.list_parameters import Cursor, WithTag, next_link, sorted_by
from app.producer.routing.parameters import Limit, NameInPath
from app.producer.routing.route_scopes import allow
from app.producer.routing.strict_route import problem_responses
from app.producer.schemas.names import DescriptionBody, Names, NameView, SplitBody
from app.producer.services import Services, ServicesDep
from app.protocol.examples import UNUSED_NAME
from app.protocol.types import QualifiedId

_Sort = Annotated[
    str,
    sorted_by(*SORTS, metrics=False),
    Query(
        description="What the list is sorted by: `created_at` or `name`. A minus in front puts the "
        "newest or the last first.",
        examples=["name"],
    ),
]

_UnusedName = Annotated[
    QualifiedId,
    Path(description="The name to delete.", openapi_examples=example(UNUSED_NAME)),
]

router = APIRouter(route_class=ConditionalRoute, tags=["names"])


@router.get("/names", response_model=Names, responses=NOT_MODIFIED | problem_responses(422, 503))
@allow(Scope.MODELS, Scope.TRAIN, Scope.PREDICT)
async def names(
    request: Request,
    response: Response,
    services: ServicesDep,
    owner: OwnerDep,
    tag: WithTag = None,
    sort: _Sort = "-created_at",
    limit: Limit = 100,
    cursor: Cursor = None,
) -> dict[str, Any]:
    """List names of models: the newest first, unless `sort` says otherwise.

    A list that goes on has a `next`, which is the `cursor` of its next page; the header `Link` has
    the whole address of it.
    """
    page = Page(limit, sort, cursor)
    found, following = await run_in_thread(list_names, services.jobs.engine, owner, page, tag)
    response.headers.update(next_link(request, following))
    shown = [shown_members(owner, vars(each), ("name",)) for each in found]
    return {"names": shown, "next": following}


@router.get(
    "/names/{name}",
    response_model=NameView,
    responses=NOT_MODIFIED | problem_responses(404, 422, 503),
)
@allow(Scope.MODELS, Scope.TRAIN, Scope.PREDICT)
async def name(name: NameInPath, services: ServicesDep, owner: OwnerDep) -> dict[str, Any]:
    """Describe a name of models."""
    return await _shown(services, owner, await services.access.name(owner, name, "name"))


@router.put("/names/{name}", response_model=NameView, responses=problem_responses(404, 422, 503))
@allow(Scope.MODELS)
async def describe(
    name: NameInPath, body: DescriptionBody, services: ServicesDep, owner: OwnerDep, by: ActorDep
) -> dict[str, Any]:
    """Replace the description and the tags of a name.

    A training or a registration makes a name; this does not.
    """
    full, engine = own(owner, name, "name", "name"), services.jobs.engine
    await run_in_thread(describe_name, engine, full, body.description, body.tags, by)
    return await _shown(services, owner, full)


@router.delete(
    "/names/{name}",
    status_code=204,
    response_class=Response,
    responses=problem_responses(404, 409, 422, 503),
)
@allow(Scope.MODELS)
async def delete(name: _UnusedName, services: ServicesDep, owner: OwnerDep, by: ActorDep) -> None:
    """Delete a name that has never had a version, or do nothing if there is none.

    A name with versions stays, because their numbers and the history of its aliases stay: it is a
    409. So it is while a training with this name has not ended.
    """
    full = own(owner, name, "name", "name")
    await run_in_thread(delete_name, services.jobs.engine, full, by)
    services.access.references.forget()
    services.access.grants.forget(Kind.MODEL, full)


@router.put(
    "/models/{name}/split",
    response_model=NameView,
    responses=problem_responses(404, 410, 422, 503),
)
@allow(Scope.MODELS)
async def split(
    name: NameInPath, body: SplitBody, services: ServicesDep, owner: OwnerDep, by: ActorDep
) -> dict[str, Any]:
    """Split the calls of a name among its versions, by weights; seen everywhere within 2 seconds.

    Calls that ask for the name alone are split, those for a version or an alias are not. A call
    with a `split_key` always gets the same version while the weights stay: that at the share of the
    weights at which the first 8 bytes of the sha256 of the name, a line feed and the key are among
    2^64. Other calls get one at random.
    """
    weights = {int(number): weight for number, weight in body.weights.items()}
    full = own(owner, name, "name", "name")
    await run_in_thread(write_split, services.jobs.engine, full, weights, by)
    services.access.references.forget()
    return await _shown(services, owner, full)


@router.delete(
    "/models/{name}/split",
    status_code=204,
    response_class=Response,
    responses=problem_responses(404, 422, 503),
)
@allow(Scope.MODELS)
async def end_split(name: NameInPath, services: ServicesDep, owner: OwnerDep, by: ActorDep) -> None:
    """End the split of a name: all calls that ask for it get its newest version."""
    full = own(owner, name, "name", "name")
    await run_in_thread(write_split, services.jobs.engine, full, None, by)
    services.access.references.forget()


async def _shown(services: Services, owner: str, name: str) -> dict[str, Any]:
    found = await run_in_thread(read_name, services.jobs.engine, name)
    return shown_members(owner, vars(found), ("name",))
