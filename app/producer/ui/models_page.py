"""`/ui/models`: the models of a filter, page by page, and `/ui/compare`: some beside each other."""

import asyncio
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response

from app import errors
from app.auth.names import qualified
from app.auth.shown_names import shown_members
from app.concurrency import run_in_thread
from app.database.paging import Page
from app.models.listing import SORTS, ModelFilter
from app.producer.callers.access import OwnerDep
from app.producer.routes.models import model
from app.producer.routing.list_parameters import (
    Cursor,
    Metric,
    OfEstimator,
    WithTag,
    condition,
    sorted_by,
)
from app.producer.routing.route_scopes import allow
from app.producer.services import ServicesDep
from app.producer.ui.comparison import differing_rows
from app.producer.ui.page_route import PageRoute
from app.producer.ui.pages import MODELS
from app.producer.ui.rendering import page
from app.protocol.estimators import ESTIMATORS
from app.protocol.types import ModelKind, QualifiedId

_ROWS = 50
_METRICS = 6  # columns
_COMPARED = 8
_NAMES = ("model_id", "dataset_id", "name")
_NEWEST = "-created_at"

router = APIRouter(route_class=PageRoute, include_in_schema=False)


@router.get("/ui/models")
@allow(*MODELS)
async def models_page(
    request: Request,
    services: ServicesDep,
    owner: OwnerDep,
    dataset_id: QualifiedId | None = None,
    kind: ModelKind | None = None,
    name: QualifiedId | None = None,
    estimator: OfEstimator = None,
    tag: WithTag = None,
    metric: Metric = None,
    sort: Annotated[str, sorted_by(*SORTS)] = _NEWEST,
    cursor: Cursor = None,
) -> Response:
    """Show models, the newest first unless `sort` says otherwise, such as `-metrics.r2`."""
    learnt = dataset_id and qualified(owner, dataset_id)
    which = ModelFilter(
        owner=owner,
        dataset_id=learnt,
        kind=kind,
        name=name and qualified(owner, name),
        estimator=estimator,
        tag=tag,
        metric=condition(metric),
    )
    found, following = await run_in_thread(services.models.list, which, Page(_ROWS, sort, cursor))
    names = ("dataset_id", "kind", "name", "estimator", "tag", "metric")
    asked = (dataset_id, kind and kind.value, name, estimator, tag, metric)
    query = {name: value for name, value in zip(names, asked, strict=True) if value}
    metrics = dict.fromkeys(name for each in found for name in each.metrics or ())
    return page(
        request,
        "models.html",
        models=[shown_members(owner, vars(each), _NAMES) for each in found],
        metrics=list(metrics)[:_METRICS],
        query=query,
        sort=sort,
        following=following,
        is_first=cursor is None,
        kinds=list(ModelKind),
        estimators=sorted(ESTIMATORS),
    )


@router.get("/ui/compare")
@allow(*MODELS)
async def compare_page(
    request: Request,
    services: ServicesDep,
    owner: OwnerDep,
    model_ids: Annotated[str, Query(max_length=2000)] = "",
    everything: Annotated[bool, Query(alias="all")] = False,
) -> Response:
    """Show models beside each other: only the rows that differ, unless `all` of them are wanted."""
    chosen = list(dict.fromkeys(filter(None, model_ids.split(","))))
    if not 2 <= len(chosen) <= _COMPARED:
        raise errors.Invalid("model_ids", f"choose 2 to {_COMPARED} models")
    calls = (model(each, services, owner, Response()) for each in chosen)
    found: list[dict[str, Any]] = await asyncio.gather(*calls)
    return page(
        request,
        "compare.html",
        chosen=chosen,
        rows=differing_rows(found, everything=everything),
        everything=everything,
    )
