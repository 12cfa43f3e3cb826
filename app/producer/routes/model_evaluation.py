"""`GET /models/{id}/evaluation`: how good a trained model is, and what it looks at."""

import json

from fastapi import APIRouter, Response

from app import errors
from app.auth.identity import DEFAULT_OWNER, Scope
from app.auth.shown_names import shown_members
from app.concurrency import run_in_thread
from app.models.evaluation import Evaluation
from app.models.record import TrainedSpec
from app.producer.callers.access import OwnerDep
from app.producer.routing.conditional_route import NOT_MODIFIED, ConditionalRoute
from app.producer.routing.parameters import DatasetOfLatest, ModelInPath, check_latest
from app.producer.routing.route_scopes import allow
from app.producer.routing.strict_route import problem_responses
from app.producer.services import ServicesDep
from app.protocol.types import JSON_MEDIA_TYPE

router = APIRouter(route_class=ConditionalRoute, tags=["catalogue"])


@router.get(
    "/models/{model_id}/evaluation",
    response_model=Evaluation,
    responses=NOT_MODIFIED | problem_responses(404, 409, 410, 422, 503),
)
@allow(Scope.MODELS, Scope.TRAIN, Scope.PREDICT)
async def evaluation(
    model_id: ModelInPath,
    services: ServicesDep,
    owner: OwnerDep,
    dataset_id: DatasetOfLatest = None,
) -> Response:
    """Show how good a trained model is: on the rows that tested it, beside a baseline.

    A regressor has predictions against actual values and their residuals, a classifier a confusion
    matrix, the scores of each class, curves, calibration and the best thresholds. Both have
    permutation importance, partial dependence, a profile of the data and the seconds of each phase.
    The documentation defines each number, in the section Metrics of the page about trainings.
    Models that were registered, or trained by a version that kept no evaluation, have none: 409.
    """
    check_latest(model_id, dataset_id)
    asked = await services.access.model_of(owner, model_id, dataset_id)
    record = await run_in_thread(services.models.get, *asked)
    if not isinstance(record.spec, TrainedSpec):
        raise errors.Conflict(
            "model_id",
            f"model {record.model_id} was registered; only models that were trained here have an "
            "evaluation",
        )
    key = record.require_file().key
    try:
        body = await run_in_thread(services.model_files.get_evaluation, key)
    except errors.NotFound:
        raise errors.Conflict(
            "model_id",
            f"model {record.model_id} was trained by a version that kept no evaluation; train it "
            "again to get one",
        ) from None
    if owner != DEFAULT_OWNER:
        body = await run_in_thread(_renamed, owner, body)
    return Response(body, media_type=JSON_MEDIA_TYPE)


def _renamed(owner: str, body: bytes) -> bytes:
    """Return a stored evaluation with names as `owner` has them."""
    return json.dumps(shown_members(owner, json.loads(body), ("model_id", "dataset_id"))).encode()
