"""Models: `/models` and `GET /models/{id}`."""

from email.utils import format_datetime
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Response

from app.concurrency import run_in_thread
from app.models.record import TrainedSpec
from app.producer.http.conditional_route import NOT_MODIFIED, ConditionalRoute
from app.producer.http.examples import example
from app.producer.http.strict_route import problem_responses
from app.producer.schemas.models import ModelDetail, Models
from app.producer.services import ServicesDep
from app.protocol.types import LATEST, Id

router = APIRouter(route_class=ConditionalRoute, tags=["catalogue"])


@router.get("/models", response_model=Models, responses=NOT_MODIFIED)
async def models(
    services: ServicesDep, limit: Annotated[int, Query(ge=1, le=1000)] = 100
) -> dict[str, Any]:
    """List the newest models, trained here or registered."""
    return {"models": await run_in_thread(services.models.newest, limit)}


@router.get(
    "/models/{model_id}",
    response_model=ModelDetail,
    responses=NOT_MODIFIED | problem_responses(404, 409, 422, 503),
)
async def model(
    model_id: Annotated[Id, Path(openapi_examples=example(LATEST))],
    services: ServicesDep,
    response: Response,
) -> dict[str, Any]:
    """Describe a model: its training and its metrics, or its registration."""
    record = await run_in_thread(services.models.get, model_id)
    if model_id != LATEST:  # dates have seconds, and two models may become the latest in one
        date = record.trained_at or record.created_at
        response.headers["Last-Modified"] = format_datetime(date, usegmt=True)
    if isinstance(record.spec, TrainedSpec):
        key = record.require_file().key
        manifest = await run_in_thread(services.model_files.get_manifest, key)
        return {"kind": record.kind, **manifest.model_dump()}
    registered = {"model_id": record.model_id, "registered_at": record.created_at}
    return {**registered, **record.spec.model_dump(mode="json")}
