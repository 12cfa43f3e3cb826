"""Read requests of predictions, in Warren's own form or that of the Open Inference Protocol."""

from app import errors
from app.amqp.message import Replyable, reject_with_error
from app.protocol.oip.message import parse_message, unwrap
from app.protocol.requests import PredictRequest
from app.protocol.validation import parse_request


def read_prediction(request: Replyable) -> PredictRequest:
    """Return the parsed request. Raises `errors.Invalid`, `Malformed` or `TooLarge`."""
    if request.message.infer is not None:
        return parse_message(request.body, request.message.infer)
    return unwrap(request.body) or parse_request(PredictRequest, request.body)


def read_or_reject(request: Replyable) -> PredictRequest | None:
    """Return the parsed request; reply with the error and reject the message if it is invalid."""
    try:
        return read_prediction(request)
    except errors.WarrenError as error:
        reject_with_error(request, error)
        return None
