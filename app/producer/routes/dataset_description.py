"""Data sets that are stored: `GET /datasets`, `GET` and `DELETE /datasets/{id}`."""

import asyncio
from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request, Response

from app import errors
from app.auth.grants import Kind
from app.auth.identity import Scope
from app.auth.names import shown
from app.concurrency import run_in_thread
from app.database.paging import Page
from app.datasets.listing import SORTS, list_datasets
from app.datasets.queries import read_versions
from app.datasets.retention import delete_dataset
from app.producer.callers.access import OwnerDep, own
from app.producer.callers.caller import ActorDep
from app.producer.conditions.dataset_conditions import CONDITIONS, DatasetConditions
from app.producer.routing.conditional_route import NOT_MODIFIED, ConditionalRoute
from app.producer.routing.examples import example
from app.producer.routing.list_parameters import Cursor, next_link, sorted_by
from app.producer.routing.parameters import DatasetInPath, VersionOfDataset
from app.producer.routing.route_scopes import allow
from app.producer.routing.strict_route import problem_responses
from app.producer.schemas.datasets import DatasetDetail, Datasets
from app.producer.services import ServicesDep
from app.protocol.types import QualifiedId

DESCRIBE_SECONDS = 12.0  # that a request waits for a description
_VERSIONS = 100  # that are shown

_DeletedId = Annotated[
    QualifiedId, Path(description="The data set to delete.", openapi_examples=example("colours"))
]
_Limit = Annotated[
    int | None,
    Query(ge=1, le=1000, description="How many to list at most; all if left out.", examples=[20]),
]
_Begin = Annotated[
    str | None,
    Query(max_length=128, description="Only those whose id begins so.", examples=["dia"]),
]
_Sort = Annotated[
    str,
    sorted_by(*SORTS, metrics=False),
    Query(
        description="What the list is sorted by: `id`, `size` or `modified`. A minus in front puts "
        "the largest first.",
        examples=["-modified"],
    ),
]

router = APIRouter(route_class=ConditionalRoute, tags=["catalogue"])


@router.get(
    "/datasets", response_model=Datasets, responses=NOT_MODIFIED | problem_responses(422, 503)
)
@allow(Scope.DATA, Scope.TRAIN)
async def datasets(
    request: Request,
    response: Response,
    services: ServicesDep,
    owner: OwnerDep,
    begin: _Begin = None,
    sort: _Sort = "id",
    limit: _Limit = None,
    cursor: Cursor = None,
) -> dict[str, Any]:
    """List the data sets.

    Those that another S3 client stored have no `version` until somebody uses them, and no `rows`
    and `columns` until somebody asks for their description. With a `limit`, a list that goes on has
    a `next`, which is the `cursor` of its next page.
    """
    page = Page(limit or 0, sort, cursor)
    found, following = await run_in_thread(
        list_datasets, services.datasets, owner, begin or "", page
    )
    response.headers.update(next_link(request, following))
    return {"datasets": found, "next": following}


@router.get(
    "/datasets/{dataset_id}",
    response_model=DatasetDetail,
    responses=NOT_MODIFIED | problem_responses(404, 422, 503),
)
@allow(Scope.DATA, Scope.TRAIN)
async def dataset(
    dataset_id: DatasetInPath,
    services: ServicesDep,
    owner: OwnerDep,
    response: Response,
    version: VersionOfDataset = None,
) -> dict[str, Any]:
    """Describe a data set, or an older version of it: its columns, first rows and warnings.

    Warren reads all of the file once for this. While that takes longer than a request may, the
    answer is a 503: ask again in a moment. The `ETag` begins with the version, so it is good for
    `If-Match`.
    """
    name = await services.access.dataset(owner, dataset_id)
    found = await run_in_thread(partial(services.datasets.pin, name, version, field="version"))
    described = asyncio.wrap_future(services.descriptions.get(found))
    try:
        async with asyncio.timeout(DESCRIBE_SECONDS):
            description = await asyncio.shield(described)  # others wait for it, too
    except TimeoutError:
        raise errors.Unavailable(
            f"data set {dataset_id} is being read; ask again in a moment"
        ) from None
    response.headers["ETag"] = f'"{found.version}"'
    versions = await run_in_thread(read_versions, services.datasets.engine, name, _VERSIONS)
    return {
        "id": shown(owner, name),
        "version": found.version,
        "size": found.size,
        "created_at": found.created_at,
        "versions": versions,
        **dict(description),
    }


@router.delete(
    "/datasets/{dataset_id}",
    status_code=204,
    response_class=Response,
    responses=problem_responses(404, 412, 422, 503),
    openapi_extra={"parameters": CONDITIONS[:1]},
)
@allow(Scope.DATA)
async def delete(
    dataset_id: _DeletedId, request: Request, services: ServicesDep, owner: OwnerDep, by: ActorDep
) -> None:
    """Delete a data set with all its versions.

    Trainings that were accepted before learn from their version nevertheless; it goes when they
    have ended. Models stay, but cannot be trained again on what they learnt from. With
    `If-Match: "<version>"` the answer is 412 if the data set has another version by now.
    """
    name = own(owner, dataset_id, "dataset_id", "data set")
    conditions = DatasetConditions.of(request)
    await run_in_thread(conditions.check, name, services.datasets.current)
    if not await run_in_thread(delete_dataset, services.datasets, name, by):
        raise await run_in_thread(services.datasets.store.not_found, name)
    services.access.grants.forget(Kind.DATASET, name)
