"""The HTTP surface. Handlers are thin: they ask a part and name the answer."""

import uuid
from collections.abc import Callable, Coroutine
from io import BufferedReader
from typing import Annotated, Any

import anyio.from_thread
import anyio.to_thread
from fastapi import APIRouter, Path, Query, Request, Response
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse

from app import errors, messages, queues
from app.manifest import Manifest
from app.messages import LATEST, Id, Status, TrainRequest
from app.producer import health, schema
from app.producer.services import Needed, threaded
from app.producer.uploads import CsvBody

_READ_BYTES = 1_000_000


class _StrictRequest(Request):
    """A request whose JSON is parsed the way a message's is."""

    async def json(self) -> Any:
        try:
            return messages.loads(await self.body())
        except errors.Malformed as error:
            raise HTTPException(422, error.detail) from None  # FastAPI lets only this one through


class _StrictRoute(APIRoute):
    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handler = super().get_route_handler()

        async def strict(request: Request) -> Response:
            return await handler(_StrictRequest(request.scope, request.receive))

        return strict


def _problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    content = {"application/problem+json": {"schema": schema.Problem.model_json_schema()}}
    return {status: {"content": content} for status in statuses}


router = APIRouter(route_class=_StrictRoute)


@router.post(
    "/train",
    tags=["jobs"],
    status_code=202,
    response_model=schema.AcceptedAnswer,
    responses=_problems(404, 413, 422, 503),
)
async def train(body: schema.TrainBody, services: Needed) -> Response:
    """Train a model on a data set.

    The job's way is at `Location`. TASK_QUEUED says that no consumer took it within a second; it
    will be run when one is free.
    """
    if not await threaded(services.storage.dataset_exists, body.dataset_id):
        raise errors.NotFound(
            f"dataset_id: there is no data set {body.dataset_id}", field="dataset_id"
        )
    services.rpc.check()
    job_id = uuid.uuid4().hex
    request = TrainRequest(**body.model_dump(), model_id=job_id)
    await threaded(services.jobs.accept, job_id, "train", request.dataset_id, request.model_dump())
    try:
        reply = await services.rpc.submit(
            queues.TRAIN, request.encode(), job_id, services.settings.train_wait
        )
    except errors.Unavailable as error:
        await threaded(services.jobs.withdraw, job_id, error.to_wire())
        raise
    status = reply.status if reply else Status.QUEUED
    return JSONResponse(
        {"message": {"status": status, "model_id": job_id}},
        202,
        headers={"Location": f"/jobs/{job_id}"},
    )


@router.post(
    "/predict",
    tags=["predictions"],
    response_model=schema.PredictionAnswer,
    responses=_problems(404, 409, 413, 422, 503, 504),
)
async def predict(body: schema.PredictBody, services: Needed) -> Response:
    """Predict one row, or a list of rows.

    `model_id` may be `latest`: the newest model, of `dataset_id` if that is given.
    """
    reply = await services.rpc.call(
        queues.PREDICT, body.encode(), services.settings.predict_timeout
    )
    return JSONResponse({"message": reply.to_wire()})


@router.get("/jobs", tags=["jobs"], response_model=schema.Jobs)
async def jobs(
    services: Needed,
    state: Status | None = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> dict[str, Any]:
    """List the newest jobs, of one state or of all."""
    return {"jobs": await threaded(services.jobs.newest, limit, state)}


@router.get(
    "/jobs/{job_id}", tags=["jobs"], response_model=schema.JobView, responses=_problems(404, 422)
)
async def job(job_id: Annotated[Id, Path()], services: Needed) -> Any:
    """Tell a job's state, times, metrics, error and attempt."""
    found = await threaded(services.jobs.get, job_id)
    if found is None:
        raise errors.NotFound(f"job_id: there is no job {job_id}", field="job_id")
    return found


@router.put(
    "/datasets/{dataset_id:path}",
    tags=["catalogue"],
    response_model=schema.Uploaded,
    responses=_problems(413, 422, 503),
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


@router.get("/datasets", tags=["catalogue"], response_model=schema.Datasets)
async def datasets(services: Needed) -> dict[str, Any]:
    """List the data sets."""
    return {"datasets": await threaded(services.storage.datasets)}


@router.get("/models", tags=["catalogue"], response_model=schema.Models)
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
    tags=["catalogue"],
    response_model=Manifest,
    responses=_problems(404, 409, 422),
)
async def model(model_id: Annotated[Id, Path(examples=[LATEST])], services: Needed) -> Manifest:
    """Describe a model: its features, metrics, parity, and what made it."""
    job = await threaded(services.jobs.model, model_id)
    return await threaded(services.storage.get_manifest, job.result_key or "")


@router.get("/", tags=["health"])
async def root() -> dict[str, str]:
    """Say that this is up."""
    return {"Status": "OK"}


@router.get("/health", tags=["health"])
async def alive() -> dict[str, str]:
    """Say that this process serves; asks nobody else."""
    return {"status": "ok"}


@router.get(
    "/health/all",
    tags=["health"],
    response_model=schema.Health,
    responses={503: {"model": schema.Health}},
)
async def health_all(services: Needed) -> Response:
    """Ask every part, and tell how long each took; 503 if one does not answer."""
    found = await health.check_all(services)
    return JSONResponse(found.model_dump(exclude_none=True), 200 if found.status == "ok" else 503)
