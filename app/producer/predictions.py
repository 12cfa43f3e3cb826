"""`POST /predict`: from bytes to bytes. Its requests outnumber all others by far."""

import logging
from contextlib import nullcontext

from fastapi import APIRouter, Request, Response

from app import log, messages
from app.producer import schema, views
from app.producer.bare import BareRoute, documented, read_json, schema_of
from app.producer.services import Services
from app.producer.strict import problems

logger = logging.getLogger(__name__)

router = APIRouter(route_class=BareRoute)


@router.post(
    "/predict",
    tags=["predictions"],
    response_model=views.PredictionAnswer,
    responses=problems(404, 408, 409, 413, 422, 502, 503, 504),
    openapi_extra=documented((messages.JSON, schema_of(schema.PredictBody))),
)
async def predict(request: Request) -> Response:
    """Predict one row or image, or a list: of at most 10,000 rows, or 64 images.

    `model_id` may be `latest`: the newest model that was trained, of `dataset_id` if that is given.
    """
    services: Services = request.app.state.services
    with services.in_flight.admit() as take:
        body = await read_json(request, take, services.settings.predict_timeout)
        checked = messages.decode(schema.PredictBody, body)
        model, job_id = (checked.model_id, checked.dataset_id), checked.job_id
        del checked  # ten times as large as the body, which waits for its answer
        with log.task(logger, job_id, f"predict model={model[0]}") if job_id else nullcontext():
            answer = await services.predictions.ask(model, body)
    return Response(b'{"message":' + answer + b"}", media_type=messages.JSON)
