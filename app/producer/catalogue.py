"""The catalogue: data sets and models."""

from io import BufferedReader
from typing import Annotated, Any

import anyio.from_thread
import anyio.to_thread
from fastapi import APIRouter, Path, Query, Request

from app import registry
from app.messages import LATEST, Id
from app.producer import modelschema, schema, views
from app.producer.services import Needed, threaded
from app.producer.strict import StrictRoute, problems
from app.producer.uploads import CsvBody

_READ_BYTES = 1_000_000

router = APIRouter(route_class=StrictRoute, tags=["catalogue"])


@router.put(
    "/datasets/{dataset_id:path}",
    response_model=views.Stored,
    responses=problems(408, 413, 422, 503),
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {"text/csv": {"schema": {"type": "string"}, "example": schema.CSV_EXAMPLE}},
        }
    },
)
async def put_dataset(
    dataset_id: Annotated[Id, Path(examples=["colours"])], request: Request, services: Needed
) -> views.Stored:
    """Store a data set: a CSV with a header, in UTF-8. One of the same name is replaced."""
    chunks = request.stream()

    async def following() -> bytes:
        async for chunk in chunks:
            if chunk:
                return chunk
        return b""

    body = CsvBody(lambda: anyio.from_thread.run(following))
    await anyio.to_thread.run_sync(
        services.storage.put_dataset,
        dataset_id,
        BufferedReader(body, _READ_BYTES),
        limiter=services.uploads,
    )
    return views.Stored(
        dataset_id=dataset_id, columns=body.scan.columns, rows=body.scan.rows, size=body.size
    )


@router.get("/datasets", response_model=views.Datasets)
async def datasets(services: Needed) -> dict[str, Any]:
    """List the data sets."""
    return {"datasets": await threaded(services.storage.datasets)}


@router.get("/models", response_model=modelschema.Models)
async def models(
    services: Needed, limit: Annotated[int, Query(ge=1, le=1000)] = 100
) -> dict[str, Any]:
    """List the newest models, trained here or registered."""
    found = await threaded(registry.newest, services.jobs, limit)
    return {
        "models": [
            {
                "model_id": job.id,
                "kind": modelschema.kind_of(job),
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
    response_model=modelschema.ModelDetail,
    responses=problems(404, 409, 422, 503),
)
async def model(
    model_id: Annotated[Id, Path(examples=[LATEST])], services: Needed
) -> dict[str, Any]:
    """Describe a model: what made it and how good it is, or what it was registered with."""
    job = await threaded(registry.find, services.jobs, model_id)
    if job.kind != "train":
        return {"model_id": job.id, "registered_at": job.ended_at, **job.request}
    manifest = await threaded(services.storage.get_manifest, job.result_key or "")
    return {"kind": modelschema.kind_of(job), **manifest.model_dump()}
