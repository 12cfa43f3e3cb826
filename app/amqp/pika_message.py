"""Convert messages between pika and Warren."""

from typing import Any

import pika

from app.amqp.body_encoding import encoding_of
from app.amqp.message import (
    IncomingMessage,
    OutgoingMessage,
    ReplyPublisher,
    Settler,
    deadline_of,
    name_of,
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
    )
