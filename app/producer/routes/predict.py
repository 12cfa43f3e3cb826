"""`POST /predict`, on a raw route because it gets most of the requests."""

import logging

from fastapi import APIRouter, Request, Response

from app.observability import logs
from app.producer.http.body import parse_body, read_json_body
from app.producer.http.raw_route import RawRoute, body_schema, document_body
from app.producer.http.row_count import count_inputs
from app.producer.http.strict_route import problem_responses
from app.producer.schemas.requests import PredictBody
from app.producer.schemas.responses import PredictionAnswer
from app.producer.services import Services
from app.protocol.types import JSON_MEDIA_TYPE

log = logging.getLogger(__name__)

router = APIRouter(route_class=RawRoute)


@router.post(
    "/predict",
    tags=["predictions"],
    response_model=PredictionAnswer,
    responses=problem_responses(404, 408, 409, 413, 415, 422, 429, 502, 503, 504),
    openapi_extra=document_body((JSON_MEDIA_TYPE, body_schema(PredictBody))),
)
async def predict(request: Request) -> Response:
    """Predict one row or image, or a list of at most 10,000 rows or 64 images.

    `model_id` may be `latest`: the newest trained model, of `dataset_id` if that is given.
    """
    services: Services = request.app.state.services
    with services.in_flight.admit():
        body = await read_json_body(request)
        checked = await parse_body(PredictBody, body)
        count_inputs(request.scope, checked)
        model, job_id = (checked.model_id, checked.dataset_id), checked.job_id
        del checked  # because it is ten times as large as the body, and the call may take long
        with logs.log_prediction(log, job_id, model[0]):
            answer = await services.predictions.predict(model, body)
    return Response(b'{"message":' + answer + b"}", media_type=JSON_MEDIA_TYPE)
