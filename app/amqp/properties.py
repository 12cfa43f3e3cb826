"""Read the properties of a message; any client may have written them."""

from collections.abc import Mapping
from time import monotonic
from typing import Any

from app.amqp.topology import INVOKE_QUEUE, PREDICT_QUEUE
from app.observability.traceparent import MOST_OF_TRACEPARENT, TRACEPARENT
from app.protocol.oip.message import InferHead, infer_head
from app.protocol.types import JSON_MEDIA_TYPE


def name_of(message_id: object) -> str | None:
    """Return a message's id as text, with escapes for bytes that are not UTF-8."""
    if isinstance(message_id, bytes):
        return message_id.decode(errors="backslashreplace")
    return message_id if isinstance(message_id, str) else None


def user_of(user_id: object) -> str | None:
    """Return the `user_id` of a message; the broker refuses any but the sender's own."""
    return user_id if isinstance(user_id, str) and user_id else None


def traceparent_of(headers: Mapping[str, Any] | None) -> str | None:
    """Return the header that names the span of a message's sender."""
    found = headers.get(TRACEPARENT) if headers else None
    return found if isinstance(found, str) and len(found) <= MOST_OF_TRACEPARENT else None


def trace_headers(traceparent: str | None) -> dict[str, Any] | None:
    """Return the headers of a message that a span sends."""
    return None if traceparent is None else {TRACEPARENT: traceparent}


def headers_of(headers: dict[str, Any] | None, traceparent: str | None) -> dict[str, Any] | None:
    """Return the headers of a message: its own, and that of the span that sends it."""
    return (
        {**headers, **(trace_headers(traceparent) or {})} if headers else trace_headers(traceparent)
    )


def infer_of(
    queue: str, content_type: object, headers: Mapping[str, Any] | None
) -> InferHead | None:
    """Return the head of an inference request of the Open Inference Protocol, None of others."""
    if content_type == JSON_MEDIA_TYPE or queue not in (PREDICT_QUEUE, INVOKE_QUEUE):
        return None
    return infer_head(content_type, headers) if isinstance(content_type, str) else None


def deadline_of(expiration: object) -> float | None:
    """Return when a message's sender stops waiting; `expiration` holds milliseconds as text."""
    if isinstance(expiration, str) and expiration.isdecimal():
        return monotonic() + int(expiration) / 1000
    return None
