"""`POST /v2/models/{model_id}/infer`, on a raw route as `/predict` is."""

import logging
from functools import partial

from fastapi import APIRouter, Request, Response
from pydantic.config import JsonDict

from app import errors
from app.auth.identity import Scope
from app.auth.shown_names import shown_reply
from app.concurrency import offload_if_large
from app.observability import logs
from app.producer.answers.oip_errors import error_responses
from app.producer.callers.access import owner_in
from app.producer.callers.row_count import count_rows
from app.producer.oip.model_reference import model_reference
from app.producer.routing.body import call_with_body, check_message_size
from app.producer.routing.raw_route import RawRoute
from app.producer.routing.route_scopes import allow
from app.producer.schemas.oip import INFER_ANSWER, INFER_BODY, INFER_HEADER, InferResponse
from app.producer.services import services_of
from app.protocol.examples import TRAINED_NAME
from app.protocol.media_types import media_type
from app.protocol.oip.message import (
    BINARY_MEDIA_TYPE,
    HEADER_LENGTH,
    answer_of,
    check_body,
    wrap,
)
from app.protocol.oip.rows import located
from app.protocol.replies import with_model
from app.protocol.types import JSON_MEDIA_TYPE, LATEST

log = logging.getLogger(__name__)

_KNOWN = ("", JSON_MEDIA_TYPE, BINARY_MEDIA_TYPE)  # Triton's client names none
_MODEL: JsonDict = {
    "name": "model_id",
    "in": "path",
    "required": True,
    "schema": {"type": "string"},
    "description": "A model, or `latest`.",
    "examples": {LATEST: {"value": LATEST}},
}
_NAME: JsonDict = {
    **_MODEL,
    "description": "A model that has versions.",
    "examples": {TRAINED_NAME: {"value": TRAINED_NAME}},
}
_VERSION: JsonDict = {
    **_MODEL,
    "name": "version",
    "description": "A version of it.",
    "examples": {"1": {"value": "1"}},
}

router = APIRouter(
    route_class=RawRoute,
    tags=["inference protocol"],
    responses=INFER_ANSWER | error_responses(400, 404, 408, 409, 410, 413, 415, 429, 502, 503, 504),
)


@router.post(
    "/v2/models/{model_id}/infer",
    response_model=InferResponse,
    openapi_extra={**INFER_BODY, "parameters": [_MODEL, INFER_HEADER]},
)
@allow(Scope.PREDICT)
async def infer(request: Request) -> Response:
    """Predict rows or images that come as tensors, at most 10,000 rows or 64 images.

    `inputs` are a tensor for each feature, by its name, or one matrix of all features in the
    model's order. Text is BYTES, and so are images, whose tensor is called `image_data`.
    """
    return await _infer(request, model_reference(request.path_params["model_id"]))


@router.post(
    "/v2/models/{model_id}/versions/{version}/infer",
    response_model=InferResponse,
    openapi_extra={**INFER_BODY, "parameters": [_NAME, _VERSION, INFER_HEADER]},
)
@allow(Scope.PREDICT)
async def infer_by_version(request: Request) -> Response:
    """Predict by a version of a model."""
    named = request.path_params
    return await _infer(request, model_reference(named["model_id"], named["version"]))


async def _infer(request: Request, reference: str) -> Response:
    services = services_of(request)
    with services.in_flight.admit() as take:
        headers = request.headers
        kind = headers.get("content-type", "")
        if kind not in _KNOWN and media_type(kind) not in _KNOWN:
            known = ", ".join(_KNOWN[1:])
            said = f"send one of {known}, and name it in Content-Type"
            raise errors.Unsupported("body", said, media_types=known)
        length = headers.get(HEADER_LENGTH)
        body = await request.body()
        size = len(body)
        count_rows(request.scope, await call_with_body(body, partial(check_body, body, length)))
        owner = owner_in(request)
        exact, _ = await services.access.exact_of(owner, reference, None)
        model = (exact.model_id, None)
        message = check_message_size(wrap(body, length, model[0]))
        take(max(0, len(message) - size))
        del body
        try:
            with logs.log_prediction(log, None, model[0]):
                reply = shown_reply(owner, await services.predictions.predict(model, message))
            if exact.name is not None:
                reply = with_model(reply, exact.label(owner))
        except errors.FieldError as error:
            raise located(error) from error
    answer = await offload_if_large(len(reply), partial(answer_of, reply))
    told = None if answer.header_length is None else {HEADER_LENGTH: str(answer.header_length)}
    return Response(answer.body, media_type=answer.media_type, headers=told)
