"""The async consumer's connection: aiormq, with the frames of one loop iteration sent together.

aio-pika awaits locks, timeouts and the socket for each ack and each message. This connection
encodes frames at once and gives them to aiormq's writer in one piece.
"""

import asyncio
from asyncio import FIRST_COMPLETED
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, TypeVar

import aio_pika
from aiormq.abc import AbstractChannel, AbstractConnection, ChannelFrame, DeliveredMessage
from aiormq.exceptions import AMQPError
from pika.exceptions import AMQPError as PikaError

from app import errors
from app.amqp.aiormq_decoding import install_lenient_aiormq_decoding
from app.amqp.aiormq_message import incoming_from_aiormq, publish_frames, settle_frame
from app.amqp.connection import connect, connection_parameters
from app.amqp.message import IncomingMessage, ReplyPublisher
from app.amqp.outgoing_message import OutgoingMessage
from app.amqp.tls import client_context, reason
from app.amqp.topology import ensure_topology
from app.settings import Settings

CLOSE_SECONDS = 2.0
OPEN_SECONDS = 15.0  # to connect and to consume

T = TypeVar("T")


class AsyncConnection:
    """One connection and its channel, from opening to loss. It belongs to one event loop."""

    def __init__(self, connection: aio_pika.abc.AbstractConnection, channel: AbstractChannel):
        """Wrap an open connection; call `open_connection` instead."""
        self._connection = connection
        self._channel = channel
        self._transport: AbstractConnection = channel.connection
        self._pending: list[bytes] = []
        self._wake = asyncio.Event()
        self._consumer_tags: list[str] = []
        self.lost: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        channel.on_consumer_cancel_callbacks.add(
            lambda frame: self._lose(f"the broker cancelled consumer {frame.consumer_tag}")
        )
        for each in (channel.closing, self._transport.closing):
            each.add_done_callback(self._closed)
        self._writer = asyncio.create_task(self._write())

    @property
    def alive(self) -> bool:
        """Whether the broker still delivers messages here and accepts acks."""
        return not self.lost.done()

    @property
    def crowded(self) -> bool:
        """False: every message has its own task, and only the prefetch limits their number."""
        return False

    async def consume(
        self,
        queue: str,
        prefetch: int,
        arrived: Callable[[IncomingMessage], object],
        replies: ReplyPublisher,
    ) -> None:
        """Call `arrived` with each message of a queue, at most `prefetch` at a time.

        `replies` publishes the replies. Raises `errors.BrokerUnavailable`.
        """

        async def deliver(delivered: DeliveredMessage) -> None:
            arrived(incoming_from_aiormq(queue, self, replies, delivered))

        channel = self._channel
        await wait_for_broker(channel.basic_qos(prefetch_count=prefetch))  # for the next consumer
        consumed = await wait_for_broker(channel.basic_consume(queue, deliver))
        assert consumed.consumer_tag
        self._consumer_tags.append(consumed.consumer_tag)

    async def cancel(self) -> None:
        """Cancel the consumers; every delivered message has arrived when this returns.

        Raises `errors.BrokerUnavailable`.
        """
        for tag in self._consumer_tags:
            await wait_for_broker(self._channel.basic_cancel(tag))

    def settle(self, messages: Sequence[IncomingMessage]) -> None:
        """Ack, reject or requeue each message with the frames of this loop iteration.

        After a loss, do nothing, because the broker redelivers unacked messages.
        """
        for each in messages:
            if each.disposition is not None:
                number = self._channel.number
                self._post([settle_frame(each.delivery_tag, each.disposition, number)])

    def publish(self, message: OutgoingMessage) -> None:
        """Publish a message without a confirm, with the frames of this loop iteration."""
        frame_max = self._transport.connection_tune.frame_max
        self._post(publish_frames(message, self._channel.number, frame_max))

    async def close(self) -> None:
        """Send the pending frames, and close."""
        self._writer.cancel()
        if self.alive:
            sent = asyncio.get_running_loop().create_future()
            await self._hand_over(sent)
            await asyncio.wait(
                [sent, self.lost], timeout=CLOSE_SECONDS, return_when=FIRST_COMPLETED
            )
        self._lose("closed")
        closing = asyncio.ensure_future(self._connection.close())
        await asyncio.wait([closing], timeout=CLOSE_SECONDS)  # the broker may not answer

    def _post(self, frames: list[bytes]) -> None:
        if self.alive:
            self._pending += frames
            self._wake.set()

    async def _write(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            await self._hand_over()

    async def _hand_over(self, sent: asyncio.Future[None] | None = None) -> None:
        """Give the pending frames to aiormq's writer; `sent` is done once they are written."""
        payload = b"".join(self._pending)
        self._pending.clear()
        await self._transport.write_queue.put(
            ChannelFrame(payload, should_close=False, drain_future=sent)
        )

    def _closed(self, closing: asyncio.Future[Any]) -> None:
        error = None if closing.cancelled() else closing.exception()
        self._lose(repr(error) if error else "closed")

    def _lose(self, reason: str) -> None:
        self._writer.cancel()
        if not self.lost.done():
            self.lost.set_result(reason)


async def open_connection(settings: Settings, name: str) -> AsyncConnection:
    """Declare the topology, and connect; the management UI shows `name`.

    Raises `errors.BrokerUnavailable`.
    """
    install_lenient_aiormq_decoding()
    await asyncio.to_thread(_ensure_topology, settings, name)
    return await wait_for_broker(_open(settings, name))


def _ensure_topology(settings: Settings, name: str) -> None:
    """Declare the topology on a short connection of pika, because aiormq's may be lost by it."""
    try:
        with connect(connection_parameters(settings, name)) as connection:
            ensure_topology(connection)
    except (PikaError, OSError) as error:
        raise errors.BrokerUnavailable(f"RabbitMQ cannot be reached: {reason(error)}") from error


async def _open(settings: Settings, name: str) -> AsyncConnection:
    context = await asyncio.to_thread(client_context, settings)  # which reads files
    url = aio_pika.connection.make_url(
        host=settings.rabbitmq_host,
        port=settings.rabbitmq_port,
        login=settings.rabbitmq_user,
        password=settings.rabbitmq_password.get_secret_value(),
        virtualhost=settings.rabbitmq_vhost,
        heartbeat=settings.rabbitmq_heartbeat,
        ssl=context is not None,
        auth="external" if settings.rabbitmq_external else None,
    )
    # `aio_pika.connect` would leave a connection that cannot be opened to the garbage collector.
    properties: dict[str, Any] = {"connection_name": name}
    connection = aio_pika.Connection(url, ssl_context=context, client_properties=properties)
    try:
        await wait_for_broker(connection.connect(OPEN_SECONDS))
        channel = connection.channel(publisher_confirms=False)
        await wait_for_broker(channel.initialize())
        return AsyncConnection(connection, await channel.get_underlay_channel())
    except BaseException:
        await connection.close()
        raise


async def wait_for_broker(work: Coroutine[Any, Any, T]) -> T:
    """Return the result of a call of aiormq. Raises `errors.BrokerUnavailable` for its errors.

    aiormq cancels its calls when it loses the connection. That must not look like a cancellation
    of the caller.
    """
    task = asyncio.ensure_future(work)
    try:
        await asyncio.wait([task], timeout=OPEN_SECONDS)
    finally:
        if not task.done():
            task.cancel()
    if task.cancelled():
        raise errors.BrokerUnavailable("the connection was lost")
    if not task.done():
        raise errors.BrokerUnavailable("the broker does not answer")
    try:
        return task.result()
    except (AMQPError, OSError, RuntimeError) as error:  # aiormq raises all of these
        raise errors.BrokerUnavailable(f"RabbitMQ cannot be reached: {reason(error)}") from error
