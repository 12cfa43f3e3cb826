"""Read the replies of consumers; parse a reply only if necessary."""

from app import errors
from app.protocol.replies import Failed, Predicted, Reply, parse_reply
from app.protocol.types import JobStatus
from app.protocol.wire_errors import error_from_wire

_COMPLETED = b'{"status":"%s",' % JobStatus.COMPLETED.encode()


def ensure_success(body: bytes) -> bytes:
    """Return a reply unparsed if it begins like a success. Raises what `read_reply` does."""
    if not body.startswith(_COMPLETED):
        read_reply(body)
    return body


def read_reply(body: bytes) -> Reply:
    """Parse a reply.

    Raises the error in the reply, or `errors.WarrenError` if the body is not a reply.
    """
    try:
        reply = parse_reply(body)
    except errors.Malformed as error:
        raise errors.WarrenError(f"a consumer sent no valid reply: {error}") from None
    if isinstance(reply, Failed):
        raise error_from_wire(reply.error)
    return reply


def read_prediction(body: bytes) -> Predicted:
    """Parse a reply that holds a prediction. Raises what `read_reply` does."""
    reply = read_reply(body)
    if not isinstance(reply, Predicted):
        raise errors.WarrenError(f"a consumer sent {reply.status} instead of a prediction")
    return reply
