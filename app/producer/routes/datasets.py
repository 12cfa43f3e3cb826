"""Data sets: `PUT /datasets/{id}` and `GET /datasets`."""

from io import BufferedReader
from typing import Annotated, Any

import anyio.from_thread
import anyio.to_thread
from fastapi import APIRouter, Path, Request

from app.concurrency import run_in_thread
from app.producer.http.csv_stream import CsvBody
from app.producer.http.csv_type import CSV, check_csv_type
from app.producer.http.strict_route import StrictRoute, problem_responses
from app.producer.schemas.requests import CSV_EXAMPLE
from app.producer.schemas.responses import Datasets, Stored
from app.producer.services import ServicesDep
from app.protocol.types import Id

_READ_BYTES = 1_000_000

router = APIRouter(route_class=StrictRoute, tags=["catalogue"])


@router.put(
    "/datasets/{dataset_id:path}",
    response_model=Stored,
    responses=problem_responses(408, 413, 415, 422, 503),
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {CSV: {"schema": {"type": "string"}, "example": CSV_EXAMPLE}},
        }
    },
)
async def put_dataset(
    dataset_id: Annotated[Id, Path(examples=["colours"])], request: Request, services: ServicesDep
) -> Stored:
    """Store a data set: a CSV with a header, in UTF-8. It replaces one of the same id.

    Its fields are separated by commas. A CSV that a training could not read is refused, and the
    data set stays as it was.
    """
    check_csv_type(request)
    chunks = request.stream()

    async def following() -> bytes:
        async for chunk in chunks:
            if chunk:
                return chunk
        return b""

    body = CsvBody(lambda: anyio.from_thread.run(following))
    await anyio.to_thread.run_sync(
        services.datasets.put,
        dataset_id,
        BufferedReader(body, _READ_BYTES),
        limiter=services.uploads,
    )
    scan = body.scan
    return Stored(
        dataset_id=dataset_id,
        columns=scan.columns,
        rows=scan.rows,
        size=body.size,
        warnings=scan.warnings,
    )


@router.get("/datasets", response_model=Datasets)
async def datasets(services: ServicesDep) -> dict[str, Any]:
    """List the data sets."""
    return {"datasets": await run_in_thread(services.datasets.list)}
