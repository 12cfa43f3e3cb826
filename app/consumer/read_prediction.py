"""Read requests of predictions, in Warren's own form or that of the Open Inference Protocol."""

from app import errors
from app.amqp.message import Replyable, reject_with_error
from app.protocol.oip.message import is_wrapped, parse_message, unwrap
from app.protocol.replies import Failed
from app.protocol.requests import PredictRequest
from app.protocol.validation import parse_request


def read_prediction(request: Replyable) -> PredictRequest:
    """Return the parsed request. Raises `errors.Invalid`, `Malformed` or `TooLarge`."""
    if request.message.infer is not None:
        return parse_message(request.body, request.message.infer)
    return unwrap(request.body) or parse_request(PredictRequest, request.body)


def read_or_reject(request: Replyable) -> PredictRequest | None:
    """Return the parsed request, or None for a wrong one, which `refuse_unread` answers."""
    try:
        return read_prediction(request)
    except errors.WarrenError as error:
        refuse_unread(request, error)
        return None


def refuse_unread(request: Replyable, error: errors.WarrenError) -> None:
    """Reply with the error of `read_prediction`, and reject the message if a client has sent it.

    A producer has checked all of an inference request but its elements. Its caller gets the error,
    as for a row that does not fit the model, and other callers may share the message.
    """
    message = request.message
    if message.infer is None and message.reply_to and is_wrapped(request.body):
        request.reply(Failed.of(error))
    else:
        reject_with_error(request, error)
