"""Models: `/models` and `GET /models/{id}`."""

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query

from app.concurrency import run_in_thread
from app.models.registry import find_model, newest_models
from app.producer.http.strict_route import StrictRoute, problem_responses
from app.producer.schemas.models import ModelDetail, Models, model_kind
from app.producer.services import ServicesDep
from app.protocol.types import LATEST, Id

router = APIRouter(route_class=StrictRoute, tags=["catalogue"])


@router.get("/models", response_model=Models)
async def models(
    services: ServicesDep, limit: Annotated[int, Query(ge=1, le=1000)] = 100
) -> dict[str, Any]:
    """List the newest models, trained here or registered."""
    found = await run_in_thread(newest_models, services.jobs, limit)
    return {
        "models": [
            {
                "model_id": job.id,
                "kind": model_kind(job),
                "dataset_id": job.dataset_id,
                "estimator": job.request.get("estimator"),
                "metrics": job.metrics,
                "trained_at": job.ended_at if job.kind == "train" else None,
                "created_at": job.created_at,
            }
            for job in found
        ]
    }


@router.get(
    "/models/{model_id}",
    response_model=ModelDetail,
    responses=problem_responses(404, 409, 422, 503),
)
async def model(
    model_id: Annotated[Id, Path(examples=[LATEST])], services: ServicesDep
) -> dict[str, Any]:
    """Describe a model: what made it and how good it is, or what it was registered with."""
    job = await run_in_thread(find_model, services.jobs, model_id)
    if job.kind != "train":
        return {"model_id": job.id, "registered_at": job.ended_at, **job.request}
    manifest = await run_in_thread(services.storage.get_manifest, job.result_key or "")
    return {"kind": model_kind(job), **manifest.model_dump()}
