"""Models: `/models` and `GET /models/{id}`."""

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query

from app.concurrency import run_in_thread
from app.models.record import TrainedSpec
from app.producer.http.examples import example
from app.producer.http.strict_route import StrictRoute, problem_responses
from app.producer.schemas.models import ModelDetail, Models
from app.producer.services import ServicesDep
from app.protocol.types import LATEST, Id

router = APIRouter(route_class=StrictRoute, tags=["catalogue"])


@router.get("/models", response_model=Models)
async def models(
    services: ServicesDep, limit: Annotated[int, Query(ge=1, le=1000)] = 100
) -> dict[str, Any]:
    """List the newest models, trained here or registered."""
    return {"models": await run_in_thread(services.models.newest, limit)}


@router.get(
    "/models/{model_id}",
    response_model=ModelDetail,
    responses=problem_responses(404, 409, 422, 503),
)
async def model(
    model_id: Annotated[Id, Path(openapi_examples=example(LATEST))], services: ServicesDep
) -> dict[str, Any]:
    """Describe a model: its training and its metrics, or its registration."""
    record = await run_in_thread(services.models.get, model_id)
    if isinstance(record.spec, TrainedSpec):
        key = record.require_file().key
        manifest = await run_in_thread(services.model_files.get_manifest, key)
        return {"kind": record.kind, **manifest.model_dump()}
    registered = {"model_id": record.model_id, "registered_at": record.created_at}
    return {**registered, **record.spec.model_dump(mode="json")}
