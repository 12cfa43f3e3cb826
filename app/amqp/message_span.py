"""The span in which a consumer handles messages."""

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from app.amqp.message import IncomingMessage
from app.observability import tracing
from app.observability.messaging_spans import process_span


def span_of(messages: Sequence[IncomingMessage]) -> AbstractContextManager[Any]:
    """Make a span of handling messages of one queue; it goes on from the spans that sent them."""
    if not tracing.is_on():
        return nullcontext()
    first = messages[0]
    sent_by = [each.traceparent for each in messages if each.traceparent]
    message_id = first.message_id if len(messages) == 1 else None
    return process_span(first.exchange, first.queue, sent_by, message_id)
