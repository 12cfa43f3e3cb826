"""Versions of a name: `/models/{name}/versions`."""

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request, Response

from app.auth.identity import Scope
from app.auth.shown_names import shown_members
from app.concurrency import run_in_thread
from app.database.paging import Page
from app.models.versions import (
    NEWEST_FIRST,
    Version,
    describe_version,
    list_versions,
    read_version,
)
from app.producer.callers.access import OwnerDep, own
from app.producer.callers.caller import ActorDep
from app.producer.routing.conditional_route import NOT_MODIFIED, ConditionalRoute
from app.producer.routing.examples import example
from app.producer.routing.list_parameters import Cursor, next_link, sorted_by
from app.producer.routing.parameters import Limit, NameInPath
from app.producer.routing.route_scopes import allow
from app.producer.routing.strict_route import problem_responses
from app.producer.schemas.names import DescriptionBody, Versions, VersionView
from app.producer.services import ServicesDep
from app.protocol.references import VersionNumber

_Number = Annotated[
    VersionNumber, Path(description="The number of the version.", openapi_examples=example(1))
]
_Sort = Annotated[
    str,
    sorted_by("version", metrics=False),
    Query(
        description="`-version` puts the newest first, `version` the oldest.",
        examples=[NEWEST_FIRST],
    ),
]

router = APIRouter(route_class=ConditionalRoute, tags=["names"])


@router.get(
    "/models/{name}/versions",
    response_model=Versions,
    responses=NOT_MODIFIED | problem_responses(404, 422, 503),
)
@allow(Scope.MODELS, Scope.TRAIN, Scope.PREDICT)
async def versions(
    name: NameInPath,
    request: Request,
    response: Response,
    services: ServicesDep,
    owner: OwnerDep,
    sort: _Sort = NEWEST_FIRST,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> dict[str, Any]:
    """List the versions of a name, the newest first, with the aliases that point to each.

    Deleted ones are among them; they have a `deleted_at`.
    """
    full, page = await services.access.name(owner, name, "name"), Page(limit, sort, cursor)
    found, following = await run_in_thread(list_versions, services.jobs.engine, full, page)
    response.headers.update(next_link(request, following))
    return {"versions": [_shown(owner, each) for each in found], "next": following}


@router.get(
    "/models/{name}/versions/{version}",
    response_model=VersionView,
    responses=NOT_MODIFIED | problem_responses(404, 422, 503),
)
@allow(Scope.MODELS, Scope.TRAIN, Scope.PREDICT)
async def version(
    name: NameInPath, version: _Number, services: ServicesDep, owner: OwnerDep
) -> dict[str, Any]:
    """Describe a version of a name; `GET /models/{name}:{version}` describes its model."""
    full = await services.access.name(owner, name, "name")
    return _shown(owner, await run_in_thread(read_version, services.jobs.engine, full, version))


@router.put(
    "/models/{name}/versions/{version}",
    response_model=VersionView,
    responses=problem_responses(404, 422, 503),
)
@allow(Scope.MODELS)
async def describe(
    name: NameInPath,
    version: _Number,
    body: DescriptionBody,
    services: ServicesDep,
    owner: OwnerDep,
    by: ActorDep,
) -> dict[str, Any]:
    """Replace the description and the tags of a version."""
    full, engine = own(owner, name, "name", "name"), services.jobs.engine
    said = (body.description, body.tags)
    await run_in_thread(describe_version, engine, full, version, *said, by)
    return _shown(owner, await run_in_thread(read_version, engine, full, version))


def _shown(owner: str, version: Version) -> dict[str, Any]:
    return shown_members(owner, vars(version), ("name", "model_id"))
