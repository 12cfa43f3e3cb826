"""The Open Inference Protocol v2: the server, its models, and what they take and answer."""

from typing import Annotated, Any

from fastapi import APIRouter, Path

from app.auth.identity import Scope
from app.auth.names import shown
from app.concurrency import run_in_thread
from app.database.paging import Page
from app.models.exact import Exact
from app.models.listing import ModelFilter
from app.models.record import ModelRecord
from app.models.versions import NEWEST_FIRST, list_versions
from app.observability.version import running_version
from app.producer.answers.oip_errors import error_responses
from app.producer.callers.access import OwnerDep
from app.producer.oip.model_reference import model_reference
from app.producer.oip.model_tensors import describe_model
from app.producer.routing.examples import example
from app.producer.routing.route_scopes import allow, allow_everybody
from app.producer.routing.strict_route import StrictRoute
from app.producer.schemas.oip import (
    IndexedModel,
    ModelMetadata,
    ModelReady,
    ServerLive,
    ServerMetadata,
)
from app.producer.services import Services, ServicesDep
from app.protocol.examples import TRAINED_NAME
from app.protocol.types import LATEST

EXTENSIONS = ["binary_tensor_data"]
MOST_INDEXED = 1000  # models; GET /models lists all, in pages
MOST_VERSIONS = 100  # GET /models/{name}/versions lists all

_ModelId = Annotated[
    str, Path(description="A model, or `latest`.", openapi_examples=example(LATEST))
]
_Name = Annotated[
    str, Path(description="A model that has versions.", openapi_examples=example(TRAINED_NAME))
]
_Version = Annotated[str, Path(description="A version of it.", openapi_examples=example("1"))]

router = APIRouter(route_class=StrictRoute, tags=["inference protocol"])


@router.get("/v2/health/live", response_model=ServerLive, responses=error_responses(400))
@allow_everybody
async def live() -> dict[str, bool]:
    """Report that this process serves, without calling other services."""
    return {"live": True}


@router.get("/v2/health/ready", response_model=ServerLive, responses=error_responses(400, 503))
@allow_everybody
async def ready(services: ServicesDep) -> dict[str, bool]:
    """Report whether models can be asked: 503 while RabbitMQ is unreachable or blocked."""
    services.rpc.check()
    return {"live": True}


@router.get("/v2", response_model=ServerMetadata, responses=error_responses(400))
@allow(Scope.MODELS, Scope.TRAIN, Scope.PREDICT)
async def server() -> dict[str, Any]:
    """Describe the server."""
    return {"name": "warren", "version": running_version(), "extensions": EXTENSIONS}


@router.get(
    "/v2/models/{model_id}",
    response_model=ModelMetadata,
    response_model_exclude_none=True,
    responses=error_responses(400, 404, 409, 410, 503),
)
@allow(Scope.MODELS, Scope.TRAIN, Scope.PREDICT)
async def metadata(model_id: _ModelId, services: ServicesDep, owner: OwnerDep) -> ModelMetadata:
    """Describe the tensors that a model takes and answers.

    Each feature is a tensor of its own. All of them may also come as the columns of one matrix.
    """
    return await _metadata(services, owner, model_reference(model_id))


@router.get(
    "/v2/models/{model_id}/versions/{version}",
    response_model=ModelMetadata,
    response_model_exclude_none=True,
    responses=error_responses(400, 404, 409, 410, 503),
)
@allow(Scope.MODELS, Scope.TRAIN, Scope.PREDICT)
async def metadata_of_version(
    model_id: _Name, version: _Version, services: ServicesDep, owner: OwnerDep
) -> ModelMetadata:
    """Describe the tensors that a version of a model takes and answers."""
    return await _metadata(services, owner, model_reference(model_id, version))


@router.get(
    "/v2/models/{model_id}/ready",
    response_model=ModelReady,
    responses=error_responses(400, 404, 409, 410, 503),
)
@allow(Scope.MODELS, Scope.TRAIN, Scope.PREDICT)
async def model_ready(model_id: _ModelId, services: ServicesDep, owner: OwnerDep) -> dict[str, Any]:
    """Report that a model can be asked; one whose training has not ended is a 409."""
    return await _ready(services, owner, model_reference(model_id))


@router.get(
    "/v2/models/{model_id}/versions/{version}/ready",
    response_model=ModelReady,
    responses=error_responses(400, 404, 409, 410, 503),
)
@allow(Scope.MODELS, Scope.TRAIN, Scope.PREDICT)
async def version_ready(
    model_id: _Name, version: _Version, services: ServicesDep, owner: OwnerDep
) -> dict[str, Any]:
    """Report that a version of a model can be asked."""
    return await _ready(services, owner, model_reference(model_id, version))


@router.post(
    "/v2/repository/index",
    response_model=list[IndexedModel],
    responses=error_responses(400, 503),
)
@allow(Scope.MODELS, Scope.TRAIN, Scope.PREDICT)
async def index(services: ServicesDep, owner: OwnerDep) -> list[dict[str, str]]:
    """List the newest 1,000 models, as Triton's extension for repositories does.

    All of them can be asked. The body of the request is not read.
    """
    page = Page(MOST_INDEXED, "-created_at")
    found, _ = await run_in_thread(services.models.list, ModelFilter(owner), page)
    names = [shown(owner, each.model_id) for each in found]
    return [{"name": name, "state": "READY", "reason": ""} for name in names]


async def _metadata(services: Services, owner: str, reference: str) -> ModelMetadata:
    exact, record = await _record(services, owner, reference)
    described = await describe_model(services, record, _name(owner, exact, record))
    if exact.name is None:
        return described
    page = Page(MOST_VERSIONS, NEWEST_FIRST)
    found, _ = await run_in_thread(list_versions, services.jobs.engine, exact.name, page)
    there = [str(each.version) for each in found if each.deleted_at is None]
    return described.model_copy(update={"versions": there})


async def _ready(services: Services, owner: str, reference: str) -> dict[str, Any]:
    exact, record = await _record(services, owner, reference)
    return {"name": _name(owner, exact, record), "ready": True}


async def _record(services: Services, owner: str, reference: str) -> tuple[Exact, ModelRecord]:
    exact, _ = await services.access.exact_of(owner, reference, None, splits=False)
    return exact, await run_in_thread(services.models.get, exact.model_id)


def _name(owner: str, exact: Exact, record: ModelRecord) -> str:
    """Return what the protocol calls a model: its name if that was asked for, else its id."""
    return shown(owner, exact.name or record.model_id)
