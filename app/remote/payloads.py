"""Encode requests to endpoints, and decode their responses."""

from typing import Any

from app import errors
from app.models.endpoint import EndpointSpec
from app.protocol import strict_json
from app.protocol.requests import PredictionInputs
from app.remote.http_transport import HttpResponse
from app.remote.redaction import SecretRedactor


def encode_request(spec: EndpointSpec, inputs: PredictionInputs) -> bytes:
    """Return the body to post, in the format that the endpoint takes."""
    if spec.sends == "instances":
        body: dict[str, Any] = {"instances": inputs.rows or inputs.images}
    elif inputs.image_data is None:
        body = {"input_data": inputs.input_data}
    else:
        body = {"image_data": inputs.image_data}
    return strict_json.dumps(body)


def check_status(response: HttpResponse, redactor: SecretRedactor, field: str) -> None:
    """Raise the error that the status of a response means, unless it means success.

    Raises `errors.EndpointUnavailable` for 429, 503 and throttling, `Invalid` about `field` for 400
    and 422, `EndpointFailed` for all others.
    """
    if 200 <= response.status < 300:
        return
    status, aws_error = response.status, response.headers.get("x-amzn-errortype", "")
    quoted = redactor.quote(response.body)
    detail = f"the model's endpoint answers {status}" + (f": {quoted}" if quoted else "")
    if status == 429 or aws_error.startswith("Throttling"):
        raise errors.EndpointUnavailable(detail)
    if status == 503:  # also from proxies, after they lost the connection they forwarded to
        raise errors.EndpointUnavailable(detail, may_have_begun=True)
    if aws_error:  # from SageMaker itself; its body has the status of the container
        status = _container_status(response.body)
    if status in (400, 422):
        raise errors.Invalid(field, detail)
    raise errors.EndpointFailed(detail)


def decode_response(
    spec: EndpointSpec, inputs: PredictionInputs, body: bytes, redactor: SecretRedactor
) -> dict[str, Any]:
    """Return `{"prediction", "pred_proba"?}`, as lists if the inputs are a list.

    Raises `errors.EndpointFailed` if the body is not JSON, has another number of predictions than
    the inputs have rows, or shows a secret.
    """
    try:
        answer = strict_json.loads(body)
    except errors.Malformed as error:
        cause = redactor.quote(error.message.encode(errors="replace"))
        raise errors.EndpointFailed(f"the model's endpoint answers with {cause}") from None
    count = len(inputs.rows or inputs.images)
    listed = spec.sends == "instances"
    if not isinstance(answer, dict) or not answer.keys() & {"prediction", "predictions"}:
        answer = {"prediction": answer}
    elif "prediction" not in answer:
        answer = {**answer, "prediction": answer["predictions"]}
        listed = True
    decoded = {
        name: _one_or_many(name, answer[name], count, many=inputs.many, listed=listed)
        for name in ("prediction", "pred_proba")
        if name in answer
    }
    if redactor.has_secret(decoded):
        raise errors.EndpointFailed("the model's endpoint answers with a secret it was sent")
    return decoded


def _one_or_many(name: str, value: Any, count: int, *, many: bool, listed: bool) -> Any:
    """Return a list of `count` if `many`, else a single value.

    `listed` endpoints answer a single row with a list of one.
    """
    if not many and not (listed and isinstance(value, list)):
        return value
    if not isinstance(value, list) or len(value) != count:
        got = f"a list of {len(value)}" if isinstance(value, list) else "not a list"
        raise errors.EndpointFailed(
            f"the model's endpoint was asked for {count}, and its {name} is {got}"
        )
    return value if many else value[0]


def _container_status(body: bytes) -> int:
    """Return the status of the container behind SageMaker; 0 if the body has none."""
    try:
        answer = strict_json.loads(body)
    except errors.Malformed:
        return 0
    status = answer.get("OriginalStatusCode") if isinstance(answer, dict) else None
    return status if isinstance(status, int) else 0
