"""`POST /predict`, on a raw route because it gets most of the requests."""

import logging
import re
from functools import partial

from fastapi import APIRouter, Request, Response

from app.auth.identity import Scope
from app.auth.shown_names import shown_reply
from app.observability import logs
from app.producer.callers.access import owner_in
from app.producer.callers.row_count import count_inputs
from app.producer.routing.body import (
    call_with_body,
    check_message_size,
    parse_body,
    read_json_body,
)
from app.producer.routing.raw_route import RawRoute, body_schema, document_body
from app.producer.routing.route_scopes import allow
from app.producer.routing.strict_route import problem_responses
from app.producer.schemas.requests import PredictBody
from app.producer.schemas.responses import PredictionAnswer
from app.producer.services import services_of
from app.protocol.replies import with_model
from app.protocol.types import JSON_MEDIA_TYPE

log = logging.getLogger(__name__)

_MODEL_ID = re.compile(rb'"model_id"\s*:\s*"[^"]*"')

router = APIRouter(route_class=RawRoute)


@router.post(
    "/predict",
    tags=["predictions"],
    response_model=PredictionAnswer,
    responses=problem_responses(404, 408, 409, 410, 413, 415, 422, 429, 502, 503, 504),
    openapi_extra=document_body((JSON_MEDIA_TYPE, body_schema(PredictBody))),
)
@allow(Scope.PREDICT)
async def predict(request: Request) -> Response:
    """Predict one row or image, or a list of at most 10,000 rows or 64 images.

    `model_id` may be `latest`: the newest trained model, of `dataset_id` if that is given. It may
    be `name`, `name:version` or `name@alias`; the answer tells the `model`, `name:version`.
    """
    services = services_of(request)
    with services.in_flight.admit():
        body = await read_json_body(request)
        checked = await parse_body(PredictBody, body)
        count_inputs(request.scope, checked)
        asked, job_id = (checked.model_id, checked.dataset_id), checked.job_id
        owner = owner_in(request)
        exact, dataset_id = await services.access.exact_of(owner, *asked, checked.split_key)
        model = (exact.model_id, dataset_id)
        if model != asked:
            body = await call_with_body(body, partial(renamed, checked, body, *model))
        del checked  # because it is ten times as large as the body, and the call may take long
        with logs.log_prediction(log, job_id, model[0]):
            answer = await services.predictions.predict(model, body)
    shown = shown_reply(owner, answer)
    if exact.name is not None:
        services.shadows.offer(exact, body, answer)
        shown = with_model(shown, exact.label(owner))
    return Response(b'{"message":' + shown + b"}", media_type=JSON_MEDIA_TYPE)


def renamed(asked: PredictBody, body: bytes, model_id: str, dataset_id: str | None) -> bytes:
    """Return the message of a request with qualified names. Raises `errors.TooLarge`."""
    # Without a backslash each key is written as it is, so the only match is the request's own key.
    if dataset_id is None and b"\\" not in body:
        written, count = _MODEL_ID.subn(b'"model_id":"%s"' % model_id.encode(), body)
        if count == 1:
            return check_message_size(written)
    names = {"model_id": model_id, "dataset_id": dataset_id}
    return check_message_size(asked.model_copy(update=names).encode())
