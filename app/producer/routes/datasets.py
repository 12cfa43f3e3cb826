"""Data sets: `PUT /datasets/{id}` and `GET /datasets`."""

from io import BufferedReader
from typing import Annotated, Any

import anyio
import anyio.from_thread
import anyio.to_thread
from fastapi import APIRouter, Path, Request
from pydantic import BeforeValidator
from starlette.exceptions import HTTPException

from app.concurrency import run_in_thread
from app.producer.http.conditional_route import NOT_MODIFIED, ConditionalRoute
from app.producer.http.csv_stream import CsvBody
from app.producer.http.csv_type import check_csv_type
from app.producer.http.examples import example
from app.producer.http.strict_route import problem_responses
from app.producer.schemas.requests import CSV_EXAMPLE
from app.producer.schemas.responses import Datasets, Stored
from app.producer.services import Services, ServicesDep
from app.protocol.types import CSV_MEDIA_TYPE, Id

_READ_BYTES = 1_000_000
# The path has the rest of the URL, so that an id with a slash in it is named as the error.
_DatasetId = Annotated[
    Id,
    BeforeValidator(lambda path: path.rstrip("/")),
    Path(description="The data set to store.", openapi_examples=example("colours")),
]
_CONDITIONS = [
    {
        "name": name,
        "in": "header",
        "description": f"`*` {effect}.",
        "schema": {"type": "string", "examples": ["*"]},
    }
    for name, effect in {
        "If-Match": "only replaces a data set",
        "If-None-Match": "only stores a new one",
    }.items()
]

router = APIRouter(route_class=ConditionalRoute, tags=["catalogue"])


@router.put(
    "/datasets/{dataset_id:path}",
    response_model=Stored,
    responses=problem_responses(408, 412, 413, 415, 422, 503, 507),
    openapi_extra={
        "parameters": _CONDITIONS,
        "requestBody": {
            "required": True,
            "content": {CSV_MEDIA_TYPE: {"schema": {"type": "string"}, "example": CSV_EXAMPLE}},
        },
    },
)
async def put_dataset(dataset_id: _DatasetId, request: Request, services: ServicesDep) -> Stored:
    """Store a data set: a CSV with a header, in UTF-8. It replaces one of the same id.

    Its fields are separated by commas. A CSV that a training could not read is refused, and the
    data set stays as it was. With `If-None-Match: *` it replaces none: the answer is 412 if there
    is one. With `If-Match: *` it stores no new one: the answer is 412 if there is none.
    """
    check_csv_type(request)
    await run_in_thread(services.disks.check)
    await _check_conditions(services, dataset_id, request)
    chunks = request.stream()

    async def following() -> bytes:
        async for chunk in chunks:
            if chunk:
                return chunk
        return b""

    body = CsvBody(lambda: anyio.from_thread.run(following))
    async with services.upload_place():
        await anyio.to_thread.run_sync(
            services.datasets.put,
            dataset_id,
            BufferedReader(body, _READ_BYTES),
            limiter=anyio.CapacityLimiter(1),  # of its own: the place limits the threads
        )
    scan = body.scan
    return Stored(
        dataset_id=dataset_id,
        columns=scan.columns,
        rows=scan.rows,
        size=body.size,
        warnings=scan.warnings,
    )


async def _check_conditions(services: Services, dataset_id: str, request: Request) -> None:
    """Raise HTTP's 412 if If-Match or If-None-Match forbids the upload (RFC 9110 section 13.2.2).

    No tag of `If-Match` is that of a data set, because Warren gives a data set none.
    """
    wanted, unwanted = request.headers.get("if-match"), request.headers.get("if-none-match")
    if wanted not in (None, "*"):
        raise HTTPException(
            412, "dataset_id: a data set has no ETag of its own; the only If-Match that works is *"
        )
    if wanted is None and unwanted != "*":
        return
    exists = await run_in_thread(services.datasets.exists, dataset_id)
    if wanted and not exists:
        raise HTTPException(
            412, f"dataset_id: there is no data set {dataset_id}, and If-Match wants one"
        )
    if unwanted == "*" and exists:
        raise HTTPException(
            412, f"dataset_id: there is a data set {dataset_id}, and If-None-Match forbids it"
        )


@router.get(
    "/datasets", response_model=Datasets, responses=NOT_MODIFIED | problem_responses(422, 503)
)
async def datasets(services: ServicesDep) -> dict[str, Any]:
    """List the data sets."""
    return {"datasets": await run_in_thread(services.datasets.list)}
