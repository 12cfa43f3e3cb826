"""`/ui/datasets` and `/ui/datasets/{id}`: what data there are, and what each column holds."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from app.auth.identity import Scope
from app.auth.names import owner_of, qualified
from app.concurrency import run_in_thread
from app.database.paging import Page
from app.datasets.listing import SORTS, list_datasets
from app.producer.callers.access import OwnerDep
from app.producer.callers.caller import ActorDep
from app.producer.routes.dataset_description import dataset
from app.producer.routes.datasets import put_dataset
from app.producer.routing.list_parameters import Cursor, sorted_by
from app.producer.routing.route_scopes import allow
from app.producer.schemas.datasets import DatasetDetail
from app.producer.services import ServicesDep
from app.producer.ui.page_route import PageRoute
from app.producer.ui.pages import DATA
from app.producer.ui.plots.columns import column_plot
from app.producer.ui.rendering import page, redirect
from app.producer.uploads.table_options import TableOptions
from app.protocol.types import Id, QualifiedId, VersionName

_ROWS = 50
_COLUMNS = 100  # that are shown
_PLOTS = 40

router = APIRouter(route_class=PageRoute, include_in_schema=False)


@router.get("/ui/datasets")
@allow(*DATA)
async def datasets_page(
    request: Request,
    services: ServicesDep,
    owner: OwnerDep,
    begin: Annotated[str, Query(max_length=128)] = "",
    sort: Annotated[str, sorted_by(*SORTS, metrics=False)] = "-modified",
    cursor: Cursor = None,
) -> Response:
    """Show the data sets, the newest first unless `sort` says otherwise."""
    part = Page(_ROWS, sort, cursor)
    found, following = await run_in_thread(list_datasets, services.datasets, owner, begin, part)
    return page(
        request,
        "datasets.html",
        datasets=found,
        query={"begin": begin} if begin else {},
        sort=sort,
        following=following,
        is_first=cursor is None,
    )


@router.get("/ui/datasets/{dataset_id}")
@allow(*DATA)
async def dataset_page(
    dataset_id: QualifiedId,
    request: Request,
    services: ServicesDep,
    owner: OwnerDep,
    version: VersionName | None = None,
) -> Response:
    """Show a data set: its columns, its first rows, its warnings and versions."""
    found = DatasetDetail.model_validate(
        await dataset(dataset_id, services, owner, Response(), version), from_attributes=True
    )
    plots = await run_in_thread(lambda: list(map(column_plot, found.columns[:_PLOTS])))
    return page(
        request,
        "dataset.html",
        data=found,
        columns=found.columns[:_COLUMNS],
        plots=plots,
        is_own=owner_of(qualified(owner, dataset_id)) == owner,
        asked=version,
    )


@router.get("/ui/upload")
@allow(Scope.DATA)
async def upload_page(
    request: Request, services: ServicesDep, owner: OwnerDep, dataset_id: Id | None = None
) -> Response:
    """Ask for the name of a new data set, then for its file.

    These are two steps, because a file is stored while it comes, under a name that is known before.
    """
    exists = False
    if dataset_id:
        name = qualified(owner, dataset_id)
        exists = await run_in_thread(services.datasets.current, name) is not None
    return page(request, "upload.html", name=dataset_id, exists=exists)


@router.post("/ui/datasets/{dataset_id}/upload")
@allow(Scope.DATA)
async def upload(
    dataset_id: Id,
    request: Request,
    services: ServicesDep,
    owner: OwnerDep,
    options: TableOptions,
    by: ActorDep,
) -> Response:
    """Store the file of a form, which has one part. Raises what `PUT /datasets/{id}` does."""
    await put_dataset(dataset_id, request, Response(), services, owner, options, by)
    return redirect(request, f"/ui/datasets/{dataset_id}")
