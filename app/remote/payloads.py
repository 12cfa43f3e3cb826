"""What is sent to an endpoint, and how its answers are understood."""

from typing import Any

from app import errors, strict_json
from app.models.endpoint import EndpointSpec
from app.protocol.requests import PredictionInputs
from app.remote.redaction import SecretRedactor


def encode_request(spec: EndpointSpec, inputs: PredictionInputs) -> bytes:
    """Return the body to post."""
    if spec.sends == "instances":
        asked: dict[str, Any] = {"instances": inputs.rows or inputs.images}
    elif inputs.image_data is None:
        asked = {"input_data": inputs.input_data}
    else:
        asked = {"image_data": inputs.image_data}
    return strict_json.dumps(asked)


def decode_response(
    spec: EndpointSpec, inputs: PredictionInputs, body: bytes, hidden: SecretRedactor
) -> dict[str, Any]:
    """Return `{"prediction", "pred_proba"?}` of an answer. Raises `errors.EndpointFailed`."""
    try:
        said = strict_json.loads(body)
    except errors.Malformed as error:
        cause = hidden.quoted(error.detail.removeprefix("body: ").encode(errors="replace"))
        raise errors.EndpointFailed(f"the model's endpoint answers with {cause}") from None
    count = len(inputs.rows or inputs.images)
    listed = spec.sends == "instances"
    if not isinstance(said, dict) or not said.keys() & {"prediction", "predictions"}:
        said = {"prediction": said}
    elif "prediction" not in said:
        said = {**said, "prediction": said["predictions"]}
        listed = True
    answer = {
        name: _shaped(name, said[name], count, many=inputs.many, listed=listed)
        for name in ("prediction", "pred_proba")
        if name in said
    }
    if hidden.shows(answer):
        raise errors.EndpointFailed("the model's endpoint answers with a secret it was sent")
    return answer


def _shaped(name: str, value: Any, count: int, *, many: bool, listed: bool) -> Any:
    """Return a list where many were asked for, and one answer where one was.

    An endpoint that is sent a list answers with one, be it of one.
    """
    if not many and not (listed and isinstance(value, list)):
        return value
    if not isinstance(value, list) or len(value) != count:
        got = f"a list of {len(value)}" if isinstance(value, list) else "no list"
        raise errors.EndpointFailed(
            f"the model's endpoint was asked for {count}, and its {name} is {got}"
        )
    return value if many else value[0]
