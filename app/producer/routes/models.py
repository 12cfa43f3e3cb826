"""Models: `/models` and `GET /models/{id}`."""

from contextlib import suppress
from datetime import datetime
from email.utils import format_datetime
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request, Response

from app import errors
from app.auth.grants import Kind
from app.auth.identity import Scope
from app.auth.names import is_latest, qualified, shown
from app.auth.shown_names import shown_members
from app.concurrency import run_in_thread
from app.database.paging import Page
from app.models.alias_history import read_alias_at
from app.models.listing import SORTS, ModelFilter
from app.models.record import TrainedSpec
from app.models.versions import read_version
from app.producer.answers.version_members import version_members, version_seen
from app.producer.callers.access import OwnerDep, own
from app.producer.callers.caller import ActorDep
from app.producer.routing.conditional_route import NOT_MODIFIED, ConditionalRoute
from app.producer.routing.examples import example
from app.producer.routing.list_parameters import (
    Cursor,
    Metric,
    OfEstimator,
    WithTag,
    condition,
    next_link,
    sorted_by,
)
from app.producer.routing.parameters import (
    DatasetOfLatest,
    Limit,
    ModelInPath,
    UtcTime,
    check_latest,
)
from app.producer.routing.route_scopes import allow
from app.producer.routing.strict_route import problem_responses
from app.producer.schemas.models import ModelDetail, Models
from app.producer.schemas.names import VersionThen
from app.producer.services import Services, ServicesDep
from app.protocol.examples import DATASET_ID, DELETED_MODEL_ID
from app.protocol.references import ModelReference, Reference
from app.protocol.types import LATEST, ModelKind, QualifiedId, VersionName

_DatasetId = Annotated[
    QualifiedId | None, Query(description="Only models of this data set.", examples=[DATASET_ID])
]
_Version = Annotated[
    VersionName | None,
    Query(description="Only models of this version of it.", examples=[None]),
]
_Kind = Annotated[
    ModelKind | None, Query(description="Only models of this kind.", examples=["trained"])
]
_Name = Annotated[
    QualifiedId | None, Query(description="Only versions of this name.", examples=[None])
]
_At = Annotated[
    UtcTime | None,
    Query(
        description="With `name@alias`: to which version it pointed at this time.",
        examples=[None],
    ),
]
_NAMES = ("model_id", "dataset_id", "name")
_Sort = Annotated[
    str,
    sorted_by(*SORTS),
    Query(
        description="What the list is sorted by: `created_at`, `trained_at`, `model_id`, or a "
        "metric such as `metrics.r2`. A minus in front puts the largest first. Models without "
        "that value are left out.",
        examples=["-metrics.r2"],
    ),
]

_DeletedId = Annotated[
    ModelReference,
    Path(
        description="The model to delete: its id, or `name:version`.",
        openapi_examples=example(DELETED_MODEL_ID),
    ),
]

router = APIRouter(route_class=ConditionalRoute, tags=["catalogue"])


@router.get("/models", response_model=Models, responses=NOT_MODIFIED | problem_responses(422, 503))
@allow(Scope.MODELS, Scope.TRAIN, Scope.PREDICT)
async def models(
    request: Request,
    response: Response,
    services: ServicesDep,
    owner: OwnerDep,
    limit: Limit = 100,
    dataset_id: _DatasetId = None,
    dataset_version: _Version = None,
    kind: _Kind = None,
    name: _Name = None,
    estimator: OfEstimator = None,
    tag: WithTag = None,
    metric: Metric = None,
    sort: _Sort = "-created_at",
    cursor: Cursor = None,
) -> dict[str, Any]:
    """List models, trained here or registered: the newest first, unless `sort` says otherwise.

    A list that goes on has a `next`, which is the `cursor` of its next page; the header `Link` has
    the whole address of it.
    """
    learnt = dataset_id and qualified(owner, dataset_id)
    which = ModelFilter(
        owner=owner,
        dataset_id=learnt,
        dataset_version=dataset_version,
        kind=kind,
        name=name and qualified(owner, name),
        estimator=estimator,
        tag=tag,
        metric=condition(metric),
    )
    page = Page(limit, sort, cursor)
    found, following = await run_in_thread(services.models.list, which, page)
    response.headers.update(next_link(request, following))
    named = [shown_members(owner, vars(each), _NAMES) for each in found]
    return {"models": named, "next": following}


@router.delete(
    "/models/{model_id}",
    status_code=204,
    response_class=Response,
    responses=problem_responses(404, 409, 422, 503),
)
@allow(Scope.MODELS)
async def delete(
    model_id: _DeletedId, services: ServicesDep, owner: OwnerDep, by: ActorDep
) -> None:
    """Delete a model and its file. Its id is never used again.

    Within 2 seconds, whoever asks for it gets a 410; to delete it again succeeds. A model whose
    training has not ended is a 409: `DELETE /jobs/{id}` cancels that. So is a model to which an
    alias points. A version of a name keeps its number.
    """
    name = own(owner, model_id, "model_id", "model")
    if is_latest(name):
        raise errors.Invalid(
            "model_id", f"{LATEST} may be another model by now; use the model's id"
        )
    try:
        exact = await services.access.exact(owner, model_id)
    except errors.Gone:
        return
    if exact.name and Reference.parse(model_id).version is None:
        detail = f"{model_id} may be another version by now; use {exact.label(owner)} or the id"
        raise errors.Invalid("model_id", detail)
    name = exact.model_id
    try:
        file = await run_in_thread(services.models.delete, name, by)
    except errors.Gone:
        return
    services.access.references.forget()
    services.access.grants.forget(Kind.MODEL, name)
    if file:
        with suppress(errors.Unavailable):  # the sweeper deletes it later
            await run_in_thread(services.model_files.delete, file.key)


@router.get(
    "/models/{model_id}",
    response_model=ModelDetail | VersionThen,
    responses=NOT_MODIFIED | problem_responses(404, 409, 410, 422, 503),
)
@allow(Scope.MODELS, Scope.TRAIN, Scope.PREDICT)
async def model(
    model_id: ModelInPath,
    services: ServicesDep,
    owner: OwnerDep,
    response: Response,
    dataset_id: DatasetOfLatest = None,
    at: _At = None,
) -> Any:
    """Describe a model: its training and its metrics, or its registration.

    Of a trained model, `params` are all effective parameters of the estimator. `runtime` answers
    predictions, and `runtime_reason` says why it is not ONNX. `parity` is the largest difference
    between its answers and those of scikit-learn on the test rows, or without any on training rows:
    of a regressor as a share of the target's standard deviation, of a classifier between
    probabilities. With `cv`, `metrics` are means over folds, and `cross_validation` has those of
    each fold. `warnings` tell what was odd about the data and the fit.

    A model with a name has a `name`, a `version` and the `aliases` that point to it. With `at`, the
    answer is to which version an alias pointed at that time, and who had made it so, and why.
    """
    if at is not None:
        return await _version_then(services, owner, Reference.parse(model_id), at)
    check_latest(model_id, dataset_id)
    asked = await services.access.model_of(owner, model_id, dataset_id)
    record = await run_in_thread(services.models.get, *asked)
    version = await version_seen(services.access, services.jobs.engine, owner, record.model_id)
    # Without names, whose aliases change; dates have seconds, and two models may become the latest
    # in one.
    if not is_latest(asked[0]) and version is None:
        date = record.trained_at or record.created_at
        response.headers["Last-Modified"] = format_datetime(date, usegmt=True)
    of_name = version_members(owner, version)
    if version is not None:
        of_name["aliases"] = version.aliases
    if isinstance(record.spec, TrainedSpec):
        key = record.require_file().key
        manifest = await run_in_thread(services.model_files.get_manifest, key)
        named = shown_members(owner, manifest.model_dump(), ("model_id", "dataset_id"))
        return {"kind": record.kind, **named, **of_name}
    registered = {"model_id": shown(owner, record.model_id), "registered_at": record.created_at}
    return {**registered, **record.spec.model_dump(mode="json"), **of_name}


async def _version_then(
    services: Services, owner: str, asked: Reference, at: datetime
) -> dict[str, Any]:
    """Return to which version an alias pointed. Raises `errors.Invalid` for another reference."""
    if asked.alias is None:
        raise errors.Invalid("at", "it only goes with name@alias, because nothing else changes")
    name = await services.access.name(owner, asked.base)
    engine = services.jobs.engine
    change = await run_in_thread(read_alias_at, engine, name, asked.alias, at)
    if change.to_version is None:
        when = change.changed_at.isoformat()
        detail = f"{asked.text} pointed to nothing then; it was deleted at {when}"
        raise errors.NotFound("at", detail)
    version = await run_in_thread(read_version, engine, name, change.to_version)
    return {
        "name": shown(owner, name),
        "alias": asked.alias,
        "version": version.version,
        "model_id": shown(owner, version.model_id),
        "deleted_at": version.deleted_at,
        "since": vars(change),
    }
