"""Spans of messages, by the semantic conventions of OpenTelemetry for messaging (1.44, RabbitMQ).

These conventions are not stable yet, so their names stand in this module alone.
"""

from collections.abc import Sequence
from contextlib import AbstractContextManager

from opentelemetry.trace import Span

from app.observability.traceparent import Traceparent
from app.observability.tracing import SpanKind, span

_SYSTEM = {"messaging.system": "rabbitmq"}


def send_span(
    exchange: str,
    queue: str,
    *,
    conversation_id: str | None = None,
    message_id: str | None = None,
    parents: Sequence[Traceparent] | None = None,
) -> AbstractContextManager[Span | None]:
    """Make a span of publishing one message, whose routing key is the name of `queue`.

    `parents` are of the requests that the message joins; without them the current span counts.
    """
    return span(
        f"send {queue}",
        SpanKind.PRODUCER,
        lambda: {
            **_operation("send", exchange, queue),
            **_batch(parents or ()),
            **({"messaging.message.conversation_id": conversation_id} if conversation_id else {}),
            **({"messaging.message.id": message_id} if message_id else {}),
        },
        parents=parents,
    )


def process_span(
    exchange: str, queue: str, parents: Sequence[Traceparent], message_id: str | None
) -> AbstractContextManager[Span | None]:
    """Make a span of handling messages of a queue; `parents` are what their headers say."""
    return span(
        f"process {queue}",
        SpanKind.CONSUMER,
        lambda: {
            **_operation("process", exchange, queue),
            **_batch(parents),
            **({"messaging.message.id": message_id} if message_id else {}),
        },
        parents=parents,
    )


def _operation(operation: str, exchange: str, queue: str) -> dict[str, str]:
    return {
        **_SYSTEM,
        "messaging.operation.name": operation,
        "messaging.operation.type": operation,
        "messaging.destination.name": f"{exchange}:{queue}" if exchange else queue,
        "messaging.rabbitmq.destination.routing_key": queue,
    }


def _batch(parents: Sequence[Traceparent]) -> dict[str, int]:
    return {"messaging.batch.message_count": len(parents)} if len(parents) > 1 else {}
