"""SageMaker's calls of a container: `/ping`, `/invocations` and `/execution-parameters`."""

import logging
import re
from functools import partial
from itertools import islice

from fastapi import APIRouter, Request, Response

from app import errors
from app.auth.identity import Scope
from app.auth.shown_names import shown_reply
from app.concurrency import offload_if_large
from app.observability import logs
from app.producer.callers.access import owner_in
from app.producer.callers.row_count import count_inputs, count_rows
from app.producer.invocations import media
from app.producer.invocations.answers import Answers
from app.producer.invocations.batches import predict_rows
from app.producer.invocations.invocation_request import parse_invocation
from app.producer.invocations.model_inputs import inputs_of
from app.producer.routing.body import call_with_body, check_message_size
from app.producer.routing.raw_route import RawRoute
from app.producer.routing.route_scopes import allow, allow_everybody
from app.producer.routing.strict_route import problem_responses
from app.producer.rpc.replies import read_prediction
from app.producer.schemas.health import Alive
from app.producer.schemas.invocations import ANSWERS, ATTRIBUTES, describe_invocation
from app.producer.schemas.requests import InvocationBody, InvocationTarget
from app.producer.schemas.responses import ExecutionParameters, Invocation
from app.producer.services import Services, services_of
from app.protocol.replies import with_model
from app.protocol.types import CSV_MEDIA_TYPE, JSON_MEDIA_TYPE
from app.protocol.validation import validate
from app.protocol.wording import nearest, quoted

log = logging.getLogger(__name__)

_NAMES = ("model_id", "dataset_id", "job_id", "extra")
_COMPARED = 50  # unknown attributes that are compared with the known ones
_MEGABYTE = 2**20  # as SageMaker counts
_GROWTH = 4  # rows repeat the names of their columns, so they are larger than the body

router = APIRouter(route_class=RawRoute, tags=["predictions"])


@router.get("/ping", response_model=Alive, responses=problem_responses(422, 503))
@allow_everybody
async def ping(request: Request) -> Response:
    """Report whether predictions can be served: 503 while RabbitMQ is unreachable or blocked."""
    services = services_of(request)
    services.rpc.check()
    return Response(b'{"status":"ok"}', media_type=JSON_MEDIA_TYPE)


@router.get(
    "/execution-parameters", response_model=ExecutionParameters, responses=problem_responses(422)
)
@allow(Scope.PREDICT)
async def execution_parameters(request: Request) -> Response:
    """Tell SageMaker's batch transform how many calls to make at a time, and how large."""
    services = services_of(request)
    settings = services.settings
    calls = settings.max_in_flight_bytes // (_GROWTH * settings.max_body)
    answer = ExecutionParameters(
        MaxConcurrentTransforms=max(1, min(calls, settings.max_in_flight)),
        BatchStrategy="MULTI_RECORD",
        MaxPayloadInMB=max(1, settings.max_body // _MEGABYTE),
    )
    return Response(answer.model_dump_json(), media_type=JSON_MEDIA_TYPE)


@router.post(
    "/invocations",
    response_model=Invocation,
    responses=ANSWERS
    | problem_responses(404, 406, 408, 409, 410, 413, 415, 422, 429, 502, 503, 504),
    openapi_extra=describe_invocation(media.IMAGES),
)
@allow(Scope.PREDICT)
async def invocations(request: Request) -> Response:
    """Predict as a SageMaker container, and as MLflow's scoring server.

    The body holds any number of rows in any of the forms below, or the bytes of an image. The model
    is the `model_id` of the header, else of the body, else `latest`. The answer has the form that
    `Accept` names, else that of the body.
    """
    services = services_of(request)
    owner = owner_in(request)
    with services.in_flight.admit() as take:
        kind = media.form_of_request(request)
        form = media.form_of_answer(request, kind)
        header = media.csv_header(request) if kind == CSV_MEDIA_TYPE else None
        body = await request.body()
        size, chosen = len(body), attributes(request.headers.get(ATTRIBUTES, ""))
        call = await call_with_body(body, partial(parse_invocation, kind, header, body))
        wrapped = call.wrapped
        if call.plain is not None:
            plain = validate(InvocationBody, call.plain | chosen)
            count_inputs(request.scope, plain)
            asked = (owner, plain.model_id, plain.dataset_id, plain.split_key)
            exact, dataset_id = await services.access.exact_of(*asked)
            model = (exact.model_id, dataset_id)
            names = {"model_id": model[0], "dataset_id": model[1]}
            plain = plain.model_copy(update=names | {"split_key": None})
            whole, many = check_message_size(plain.encode()), plain.many
            take(max(0, len(whole) - size))
            job_id = plain.job_id
            del plain, call, body
            with logs.log_prediction(log, job_id, model[0]):
                reply = shown_reply(owner, await services.predictions.predict(model, whole))
                reply = with_model(reply, exact.label(owner))
            if form == JSON_MEDIA_TYPE:  # passed on unparsed, because it may be megabytes
                return Response(reply, media_type=JSON_MEDIA_TYPE)
            answers = Answers.of([read_prediction(reply)], many=many)
        else:
            target = validate(InvocationTarget, call.beside | chosen)
            asked = (owner, target.model_id, target.dataset_id, target.split_key)
            exact, dataset_id = await services.access.exact_of(*asked)
            model = (exact.model_id, dataset_id)
            inputs = await inputs_of(services, *model, extra=target.extra)
            rows = await call_with_body(body, partial(call.read, inputs))
            count_rows(request.scope, len(rows.rows))
            many = rows.many
            take(max(0, rows.size - size))
            del call, body
            with logs.log_prediction(log, target.job_id, model[0]):
                ask = partial(_ask, services, owner, inputs.model_id)
                head = {
                    "model_id": inputs.model_id,
                    "job_id": target.job_id,
                    "extra": target.extra,
                }
                answers = await predict_rows(ask, rows, take, **head)
    content = await offload_if_large(
        size, partial(answers.encode, form, wrapped=wrapped, many=many)
    )
    label = exact.label(owner)
    told = f",model={label}" if label else ""
    named = {ATTRIBUTES: f"model_id={answers.model_id}{told}"}
    return Response(content, media_type=form, headers=named)


async def _ask(services: Services, owner: str, model_id: str, message: bytes) -> bytes:
    """Return the reply to a message, with the model's name as `owner` has it."""
    return shown_reply(owner, await services.predictions.predict((model_id, None), message))


def attributes(header: str) -> dict[str, str]:
    """Return Warren's attributes of `name=value,name=value`; semicolons separate, too.

    Those of others, such as trace ids, are ignored. Raises `errors.Invalid` for a name that is
    nearly one of Warren's.
    """
    pairs = (each.partition("=") for each in re.split("[,;]", header))
    found = {name.strip(): value.strip() for name, _, value in pairs if value.strip()}
    for name in islice((name for name in found if name not in _NAMES), _COMPARED):
        if meant := nearest(name, _NAMES):
            reason = f"the attribute {quoted(name)} is not known; did you mean {quoted(meant)}?"
            raise errors.Invalid(ATTRIBUTES, reason)
    return {name: found[name] for name in _NAMES if name in found}
