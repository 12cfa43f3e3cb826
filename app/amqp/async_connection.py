"""The invoker's connection: aio-pika, but that the frames of one turn of the loop leave together.

aio-pika awaits locks, timeouts and the socket for each ack and each message. Here frames are made
as aiormq makes them and handed to its writer in one piece.
"""

import asyncio
import struct
from asyncio import FIRST_COMPLETED
from collections.abc import Callable, Coroutine
from functools import lru_cache
from typing import Any, TypeVar

import aio_pika
import pamqp.frame
from aiormq.abc import AbstractChannel, AbstractConnection, ChannelFrame, DeliveredMessage
from aiormq.exceptions import AMQPError
from pamqp import commands
from pamqp.body import ContentBody
from pamqp.header import ContentHeader

from app.amqp.aiormq_decoding import install_lenient_aiormq_decoding
from app.amqp.async_message import OutgoingMessage
from app.amqp.message import Disposition
from app.amqp.topology import queue_arguments
from app.settings import Settings

CLOSE_SECONDS = 2.0
OPEN_SECONDS = 15.0  # for all it takes to be connected and to consume
FRAME_BYTES = 8  # of each frame, beside what it holds

# An ack, as AMQP 0-9-1 has it: pamqp takes longer to make one than all of its way through the loop.
# Kind of frame, channel, size, class, method, tag, whether it is for many, end of frame.
_ACK = struct.Struct(">BHIHHQBB")
T = TypeVar("T")
Arrived = Callable[[DeliveredMessage], Coroutine[Any, Any, None]]


class ConnectionLost(AMQPError):
    """The connection, or what consumed on it, is gone."""


@lru_cache(1024)  # who asks once asks again
def _publish_frame(queue: str, channel: int) -> bytes:
    """Return the frame that says where a message goes."""
    return pamqp.frame.marshal(commands.Basic.Publish(exchange="", routing_key=queue), channel)


class AsyncConnection:
    """One connection and its channel, from the first consumer to the loss; of one event loop."""

    def __init__(self, connection: aio_pika.abc.AbstractConnection, channel: AbstractChannel):
        """Be called by `opened`."""
        self._connection = connection
        self._channel = channel
        self._transport: AbstractConnection = channel.connection
        self._pending: list[bytes] = []
        self._wake = asyncio.Event()
        self._tags: dict[str, str] = {}
        self.lost: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        channel.on_consumer_cancel_callbacks.add(
            lambda frame: self._lose(f"the broker cancelled consumer {frame.consumer_tag}")
        )
        for each in (channel.closing, self._transport.closing):
            each.add_done_callback(self._closed)
        self._writer = asyncio.create_task(self._write())

    @property
    def alive(self) -> bool:
        """Whether the broker still delivers here, and takes acks."""
        return not self.lost.done()

    async def consume(self, queue: str, prefetch: int, arrived: Arrived) -> None:
        """Declare a queue and have its messages handed to `arrived`. Raises an `AMQPError`."""
        channel = self._channel
        await wait_for_broker(
            channel.queue_declare(queue, durable=True, arguments={**queue_arguments(queue)})
        )
        await wait_for_broker(channel.basic_qos(prefetch_count=prefetch))  # of the next consumer
        consumed = await wait_for_broker(channel.basic_consume(queue, arrived))
        assert consumed.consumer_tag
        self._tags[queue] = consumed.consumer_tag

    async def cancel(self) -> None:
        """Have nothing delivered any more; afterwards, all that was has arrived."""
        for tag in self._tags.values():
            await wait_for_broker(self._channel.basic_cancel(tag))

    def settle(self, tag: int, verdict: Disposition) -> None:
        """Ack, reject or requeue with the frames of this turn; nothing where the link is lost.

        The broker delivers again what was not acked, so nothing is owed then.
        """
        if verdict is Disposition.ACK:
            self._post(_ACK.pack(1, self._channel.number, 13, 60, 80, tag, 0, 0xCE))
        else:
            requeue = verdict is Disposition.REQUEUE
            nack = commands.Basic.Nack(tag, requeue=requeue)
            self._post(pamqp.frame.marshal(nack, self._channel.number))

    def publish(self, message: OutgoingMessage) -> None:
        """Send with the frames of this turn, unconfirmed."""
        number, body = self._channel.number, message.body
        most = self._transport.connection_tune.frame_max - FRAME_BYTES
        properties = commands.Basic.Properties(
            content_type=message.content_type,
            correlation_id=message.correlation_id,
            reply_to=message.reply_to,
            expiration=message.expiration,
            message_id=message.message_id,
            message_type=message.status,
        )
        header = ContentHeader(body_size=len(body), properties=properties)
        bodies = [ContentBody(body[at : at + most]) for at in range(0, len(body), most)]
        self._post(
            _publish_frame(message.queue, number),
            pamqp.frame.marshal(header, number),
            *(pamqp.frame.marshal(each, number) for each in bodies),
        )

    async def close(self) -> None:
        """Send what is pending, and close."""
        self._writer.cancel()
        if self.alive:
            sent = asyncio.get_running_loop().create_future()
            await self._hand_over(sent)
            await asyncio.wait(
                [sent, self.lost], timeout=CLOSE_SECONDS, return_when=FIRST_COMPLETED
            )
        self._lose("closed")
        closing = asyncio.ensure_future(self._connection.close())
        await asyncio.wait([closing], timeout=CLOSE_SECONDS)  # a broker may take nothing

    def _post(self, *frames: bytes) -> None:
        if self.alive:
            self._pending += frames
            self._wake.set()

    async def _write(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            await self._hand_over()

    async def _hand_over(self, sent: asyncio.Future[None] | None = None) -> None:
        """Give aiormq's writer what is pending; `sent` is done when the socket has it."""
        payload = b"".join(self._pending)
        self._pending.clear()
        await self._transport.write_queue.put(
            ChannelFrame(payload, should_close=False, drain_future=sent)
        )

    def _closed(self, closing: asyncio.Future[Any]) -> None:
        error = None if closing.cancelled() else closing.exception()
        self._lose(repr(error) if error else "closed")

    def _lose(self, why: str) -> None:
        self._writer.cancel()
        if not self.lost.done():
            self.lost.set_result(why)


async def open_connection(settings: Settings, name: str) -> AsyncConnection:
    """Connect; `name` is what the management UI shows. Raises an `AMQPError` or `OSError`."""
    install_lenient_aiormq_decoding()
    url = aio_pika.connection.make_url(
        host=settings.rabbitmq_host,
        port=settings.rabbitmq_port,
        login=settings.rabbitmq_user,
        password=settings.rabbitmq_password.get_secret_value(),
        virtualhost=settings.rabbitmq_vhost,
        heartbeat=settings.rabbitmq_heartbeat,
    )
    # Not `aio_pika.connect`: what that cannot connect closes itself when it is garbage.
    connection = aio_pika.Connection(url, client_properties={"connection_name": name})
    try:
        await wait_for_broker(connection.connect(OPEN_SECONDS))
        channel = connection.channel(publisher_confirms=False)
        await wait_for_broker(channel.initialize())
        return AsyncConnection(connection, await channel.get_underlay_channel())
    except BaseException:
        await connection.close()
        raise


async def wait_for_broker(work: Coroutine[Any, Any, T]) -> T:
    """Await what aiormq may cancel when it loses its connection, as if we were to end.

    Raises `ConnectionLost` then, an `AMQPError`, or `TimeoutError`.
    """
    task = asyncio.ensure_future(work)
    try:
        await asyncio.wait([task], timeout=OPEN_SECONDS)
    finally:
        if not task.done():
            task.cancel()
    if task.cancelled():
        raise ConnectionLost("the connection was lost")
    if not task.done():
        raise TimeoutError("the broker does not answer")
    return task.result()
