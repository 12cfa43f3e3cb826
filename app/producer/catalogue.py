"""The catalogue: data sets, and the models that were trained on them."""

from io import BufferedReader
from typing import Annotated, Any

import anyio.from_thread
import anyio.to_thread
from fastapi import APIRouter, Path, Query, Request

from app.manifest import Manifest
from app.messages import LATEST, Id, Status
from app.producer import schema
from app.producer.services import Needed, threaded
from app.producer.strict import StrictRoute, problems
from app.producer.uploads import CsvBody

_READ_BYTES = 1_000_000

router = APIRouter(route_class=StrictRoute, tags=["catalogue"])


@router.put(
    "/datasets/{dataset_id:path}",
    response_model=schema.Uploaded,
    responses=problems(413, 422, 503),
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {"text/csv": {"schema": {"type": "string"}, "example": schema.CSV_EXAMPLE}},
        }
    },
)
async def put_dataset(
    dataset_id: Annotated[Id, Path(examples=["colours"])], request: Request, services: Needed
) -> schema.Uploaded:
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
    return schema.Uploaded(
        dataset_id=dataset_id, columns=body.scan.columns, rows=body.scan.rows, size=body.size
    )


@router.get("/datasets", response_model=schema.Datasets)
async def datasets(services: Needed) -> dict[str, Any]:
    """List the data sets."""
    return {"datasets": await threaded(services.storage.datasets)}


@router.get("/models", response_model=schema.Models)
async def models(
    services: Needed, limit: Annotated[int, Query(ge=1, le=1000)] = 100
) -> dict[str, Any]:
    """List the newest models."""
    trained = await threaded(services.jobs.newest, limit, Status.COMPLETED)
    return {
        "models": [
            {
                "model_id": job.id,
                "dataset_id": job.dataset_id,
                "estimator": job.request["estimator"],
                "metrics": job.metrics,
                "trained_at": job.ended_at,
            }
            for job in trained
        ]
    }


@router.get(
    "/models/{model_id}",
    response_model=Manifest,
    responses=problems(404, 409, 422),
)
async def model(model_id: Annotated[Id, Path(examples=[LATEST])], services: Needed) -> Manifest:
    """Describe a model: its features, metrics, parity, and what made it."""
    job = await threaded(services.jobs.model, model_id)
    return await threaded(services.storage.get_manifest, job.result_key or "")
