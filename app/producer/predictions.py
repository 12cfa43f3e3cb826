"""`POST /predict`: from bytes to bytes. Its requests outnumber all others by far."""

import asyncio
from collections.abc import Callable

from fastapi import APIRouter, Request, Response
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from starlette.types import Receive, Scope, Send

from app import errors, messages
from app.producer import schema
from app.producer.problems import SEND_JSON
from app.producer.services import Services
from app.producer.strict import problems


class _BareRoute(APIRoute):
    """A route whose endpoint takes the request and nothing else.

    FastAPI documents it, and does no more: what it does for each call of another endpoint
    (dependencies, exit stacks) takes longer than the way through the broker and back.
    """

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["method"] in (self.methods or ()):
            response = await self.endpoint(Request(scope, receive))
            await response(scope, receive, send)
        else:
            await super().handle(scope, receive, send)  # which says 405


# What it refers to stands among the components: trainings have it, too.
_SCHEMA = schema.PredictBody.model_json_schema(ref_template="#/components/schemas/{model}")
_SCHEMA.pop("$defs")

router = APIRouter(route_class=_BareRoute)


@router.post(
    "/predict",
    tags=["predictions"],
    response_model=schema.PredictionAnswer,
    responses=problems(404, 408, 409, 413, 422, 503, 504),
    openapi_extra={
        "requestBody": {"required": True, "content": {messages.JSON: {"schema": _SCHEMA}}}
    },
)
async def predict(request: Request) -> Response:
    """Predict one row, or a list of at most 10,000.

    `model_id` may be `latest`: the newest model, of `dataset_id` if that is given.
    """
    services: Services = request.app.state.services
    with services.in_flight.admit() as take:
        body = await _body(request, take, services.settings.predict_timeout)
        checked = messages.decode(schema.PredictBody, body)
        model = (checked.model_id, checked.dataset_id)
        del checked  # ten times as large as the body, which waits for its answer
        answer = await services.predictions.ask(model, body)
    return Response(b'{"message":' + answer + b"}", media_type=messages.JSON)


async def _body(request: Request, take: Callable[[int], None], seconds: float) -> bytes:
    """Return the JSON of a request. Raises `errors.Invalid`, or HTTP's 408 when it is too slow."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != messages.JSON and not (kind.startswith("application/") and kind.endswith("+json")):
        raise errors.Invalid(f"body: {SEND_JSON}", field="body")
    chunks = []
    try:
        async with asyncio.timeout(seconds):
            async for chunk in request.stream():
                take(len(chunk))
                chunks.append(chunk)
    except TimeoutError:
        raise HTTPException(408, f"body: it did not come within {seconds:g} s") from None
    return b"".join(chunks)
