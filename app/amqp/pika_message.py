"""Convert messages between pika and Warren."""

from typing import Any

import pika

from app.amqp.body_encoding import encoding_of
from app.amqp.message import IncomingMessage, ReplyPublisher, Settler
from app.amqp.outgoing_message import OutgoingMessage
from app.amqp.properties import (
    deadline_of,
    headers_of,
    infer_of,
    name_of,
    traceparent_of,
    user_of,
)
from app.protocol.media_types import is_json_lines


def incoming_from_pika(
    queue: str,
    channel: Settler,
    replies: ReplyPublisher,
    method: Any,
    properties: pika.BasicProperties,
    body: bytes,
) -> IncomingMessage:
    """Return a delivery as a message. Any client may have written its properties."""
    reply_to = properties.reply_to
    encoding = properties.content_encoding
    return IncomingMessage(
        body,
        reply_to if isinstance(reply_to, str) else None,
        properties.correlation_id,
        name_of(properties.message_id),
        queue,
        method.redelivered,
        method.delivery_tag,
        channel,
        replies,
        is_json_lines(properties.content_type),
        deadline_of(properties.expiration),
        None if encoding is None else encoding_of(encoding, properties.headers),
        user_of(properties.user_id),
        method.exchange,
        traceparent_of(properties.headers),
        infer_of(queue, properties.content_type, properties.headers),
    )


def pika_properties(message: OutgoingMessage) -> pika.BasicProperties:
    """Return the properties to publish a message with."""
    return pika.BasicProperties(
        content_type=message.content_type,
        content_encoding=message.content_encoding,
        correlation_id=message.correlation_id,
        reply_to=message.reply_to,
        expiration=message.expiration,
        message_id=message.message_id,
        type=message.status,
        user_id=message.user_id,
        headers=headers_of(message.headers, message.traceparent),
    )
