"""Convert messages between aiormq and Warren; write the frames that settle and publish them."""

import struct
from functools import lru_cache

import pamqp.frame
from aiormq.abc import DeliveredMessage
from pamqp import commands
from pamqp.body import ContentBody
from pamqp.header import ContentHeader

from app.amqp.body_encoding import encoding_of
from app.amqp.message import Disposition, IncomingMessage, ReplyPublisher, Settler
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

_FRAME_OVERHEAD = 8  # bytes of each frame beside its payload

# The frame of Basic.Ack in AMQP 0-9-1, packed here because pamqp takes longer to encode one than
# all other steps of an ack take. Its fields: frame type, channel, size, class, method, delivery
# tag, multiple, frame end.
_ACK = struct.Struct(">BHIHHQBB")


def incoming_from_aiormq(
    queue: str, channel: Settler, replies: ReplyPublisher, delivered: DeliveredMessage
) -> IncomingMessage:
    """Return a delivery as a message. Any client may have written its properties."""
    properties = delivered.header.properties
    reply_to = properties.reply_to
    encoding = properties.content_encoding
    assert delivered.delivery_tag is not None
    return IncomingMessage(
        delivered.body,
        reply_to if isinstance(reply_to, str) else None,
        properties.correlation_id,
        name_of(properties.message_id),
        queue,
        bool(delivered.redelivered),
        delivered.delivery_tag,
        channel,
        replies,
        is_json_lines(properties.content_type),
        deadline_of(properties.expiration),
        None if encoding is None else encoding_of(encoding, properties.headers),
        user_of(properties.user_id),
        delivered.exchange or "",
        traceparent_of(properties.headers),
        infer_of(queue, properties.content_type, properties.headers),
    )


def settle_frame(delivery_tag: int, disposition: Disposition, channel: int) -> bytes:
    """Return the frame that acks, rejects or requeues one delivery."""
    if disposition is Disposition.ACK:
        return _ACK.pack(1, channel, 13, 60, 80, delivery_tag, 0, 0xCE)
    requeue = disposition is Disposition.REQUEUE
    return pamqp.frame.marshal(commands.Basic.Nack(delivery_tag, requeue=requeue), channel)


def publish_frames(message: OutgoingMessage, channel: int, frame_max: int) -> list[bytes]:
    """Return the frames that publish a message; none has more than `frame_max` bytes."""
    body, most = message.body, frame_max - _FRAME_OVERHEAD
    properties = commands.Basic.Properties(
        content_type=message.content_type,
        content_encoding=message.content_encoding,
        correlation_id=message.correlation_id,
        reply_to=message.reply_to,
        expiration=message.expiration,
        message_id=message.message_id,
        message_type=message.status,
        user_id=message.user_id,
        headers=headers_of(message.headers, message.traceparent),
    )
    header = ContentHeader(body_size=len(body), properties=properties)
    pieces = [ContentBody(body[at : at + most]) for at in range(0, len(body), most)]
    return [
        _method_frame(message.exchange, message.queue, channel),
        pamqp.frame.marshal(header, channel),
        *(pamqp.frame.marshal(piece, channel) for piece in pieces),
    ]


@lru_cache(1024)  # a callback queue gets many replies
def _method_frame(exchange: str, queue: str, channel: int) -> bytes:
    """Return the Basic.Publish frame, which names the queue."""
    method = commands.Basic.Publish(exchange=exchange, routing_key=queue)
    return pamqp.frame.marshal(method, channel)
