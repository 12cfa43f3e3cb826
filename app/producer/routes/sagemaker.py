"""SageMaker's two calls of a container: `GET /ping` and `POST /invocations`."""

import base64
import logging
import re
from contextlib import nullcontext
from typing import Any

from fastapi import APIRouter, Request, Response

from app import errors, strict_json
from app.observability import logs
from app.producer.http.body import check_message_size, media_type, read_body
from app.producer.http.raw_route import RawRoute, body_schema, document_body
from app.producer.http.strict_route import problem_responses
from app.producer.schemas.requests import InvocationBody
from app.producer.schemas.responses import Alive, Prediction
from app.producer.services import Services
from app.protocol.types import JSON_MEDIA_TYPE
from app.protocol.validation import validate

log = logging.getLogger(__name__)

IMAGES = ("image/jpeg", "image/png", "application/x-image")
ATTRIBUTES = "X-Amzn-SageMaker-Custom-Attributes"
_NAMES = ("model_id", "dataset_id", "job_id")

_BINARY = {"type": "string", "format": "binary"}

router = APIRouter(route_class=RawRoute, tags=["predictions"])


@router.get("/ping", response_model=Alive, responses=problem_responses(503))
async def ping(request: Request) -> Response:
    """Report whether predictions can be served: 503 while RabbitMQ is unreachable or blocked."""
    services: Services = request.app.state.services
    services.rpc.check()
    return Response(b'{"status":"ok"}', media_type=JSON_MEDIA_TYPE)


@router.post(
    "/invocations",
    response_model=Prediction,
    responses=problem_responses(404, 408, 409, 413, 415, 422, 502, 503, 504),
    openapi_extra=document_body(
        (JSON_MEDIA_TYPE, body_schema(InvocationBody)), *((kind, _BINARY) for kind in IMAGES)
    )
    | {
        "parameters": [
            {
                "name": ATTRIBUTES,
                "in": "header",
                "schema": {"type": "string"},
                "description": "model_id=ID, perhaps with more attributes after commas",
            }
        ]
    },
)
async def invocations(request: Request) -> Response:
    """Predict as a SageMaker container; the response is the prediction without `message`.

    The body is `{"input_data"}` or `{"image_data"}`, a bare row, a list of rows, or the bytes of an
    image. The model is the `model_id` of the header, else of the body, else `latest`.
    """
    services: Services = request.app.state.services
    with services.in_flight.admit() as take:
        kind = media_type(request)
        if kind not in (JSON_MEDIA_TYPE, *IMAGES):
            raise errors.Invalid(
                "body",
                f"send one of {JSON_MEDIA_TYPE}, {', '.join(IMAGES)}, and name it in Content-Type",
            )
        body = await read_body(request, take, services.settings.predict_timeout)
        wire = (
            _wire(body)
            if kind == JSON_MEDIA_TYPE
            else {"image_data": base64.b64encode(body).decode()}
        )
        asked = validate(InvocationBody, wire | attributes(request.headers.get(ATTRIBUTES, "")))
        model, job_id = (asked.model_id, asked.dataset_id), asked.job_id
        whole = check_message_size(asked.encode())
        take(max(0, len(whole) - len(body)))
        del asked, wire, body
        with logs.log_task(log, job_id, f"predict model={model[0]}") if job_id else nullcontext():
            answer = await services.predictions.predict(model, whole)
    return Response(answer, media_type=JSON_MEDIA_TYPE)


def _wire(body: bytes) -> dict[str, Any]:
    """Parse JSON; a bare row, or a list of rows, becomes `input_data`."""
    wire = strict_json.loads(body)
    if isinstance(wire, dict) and wire.keys() & {"input_data", "image_data"}:
        return wire
    return {"input_data": wire}


def attributes(header: str) -> dict[str, str]:
    """Return Warren's attributes of `name=value,name=value`; semicolons separate, too."""
    pairs = (each.partition("=") for each in re.split("[,;]", header))
    found = {name.strip(): value.strip() for name, _, value in pairs}
    return {name: found[name] for name in _NAMES if found.get(name)}
