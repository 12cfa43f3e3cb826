"""Models: `/models` and `GET /models/{id}`."""

from email.utils import format_datetime
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Response

from app.concurrency import run_in_thread
from app.models.record import TrainedSpec
from app.producer.http.conditional_route import NOT_MODIFIED, ConditionalRoute
from app.producer.http.examples import example
from app.producer.http.parameters import DatasetOfLatest, Limit, check_latest
from app.producer.http.strict_route import problem_responses
from app.producer.schemas.models import ModelDetail, Models
from app.producer.services import ServicesDep
from app.protocol.examples import DATASET_ID
from app.protocol.types import LATEST, Id

_ModelId = Annotated[
    Id, Path(description="A model, or `latest`.", openapi_examples=example(LATEST))
]
_DatasetId = Annotated[
    Id | None, Query(description="Only models of this data set.", examples=[DATASET_ID])
]

router = APIRouter(route_class=ConditionalRoute, tags=["catalogue"])


@router.get("/models", response_model=Models, responses=NOT_MODIFIED | problem_responses(422, 503))
async def models(
    services: ServicesDep, limit: Limit = 100, dataset_id: _DatasetId = None
) -> dict[str, Any]:
    """List the newest models, trained here or registered, on one data set or on any."""
    return {"models": await run_in_thread(services.models.newest, limit, dataset_id)}


@router.get(
    "/models/{model_id}",
    response_model=ModelDetail,
    responses=NOT_MODIFIED | problem_responses(404, 409, 422, 503),
)
async def model(
    model_id: _ModelId,
    services: ServicesDep,
    response: Response,
    dataset_id: DatasetOfLatest = None,
) -> dict[str, Any]:
    """Describe a model: its training and its metrics, or its registration.

    Of a trained model, `params` are all effective parameters of the estimator. `runtime` answers
    predictions, and `runtime_reason` says why it is not ONNX. `parity` is the largest difference
    between its answers and those of scikit-learn on the test rows: of a regressor as a share of the
    target's standard deviation, of a classifier between probabilities. `warnings` tell what was odd
    about the data and the fit.
    """
    check_latest(model_id, dataset_id)
    record = await run_in_thread(services.models.get, model_id, dataset_id)
    if model_id != LATEST:  # dates have seconds, and two models may become the latest in one
        date = record.trained_at or record.created_at
        response.headers["Last-Modified"] = format_datetime(date, usegmt=True)
    if isinstance(record.spec, TrainedSpec):
        key = record.require_file().key
        manifest = await run_in_thread(services.model_files.get_manifest, key)
        return {"kind": record.kind, **manifest.model_dump()}
    registered = {"model_id": record.model_id, "registered_at": record.created_at}
    return {**registered, **record.spec.model_dump(mode="json")}
