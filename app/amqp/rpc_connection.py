"""The RPC client's connection: pika on an event loop, with a channel for calls and one for jobs."""

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import pika
from pika.channel import Channel
from pika.exceptions import AMQPError, ConsumerCancelled

from app import errors
from app.amqp.connection import PikaConnection, login_of, unreachable, with_tls
from app.amqp.pika_callbacks import (
    declare_passively,
    open_channel,
    wait_for_callback,
    work_exchange,
)
from app.amqp.properties import trace_headers
from app.amqp.tls import reason
from app.concurrency import fail, succeed
from app.observability import tracing
from app.protocol.types import JSON_MEDIA_TYPE

log = logging.getLogger(__name__)

BLOCKED_DETAIL = "RabbitMQ is out of memory or disk, and accepts no messages"
CLOSE_SECONDS = 2.0  # for the broker to answer the close


class QueueCount(NamedTuple):
    """The messages of a queue that no consumer holds yet, and its consumers."""

    ready: int
    consumers: int


class RpcConnection:
    """One connection, from opening to loss. It belongs to one event loop.

    Calls are unconfirmed, because their callers repeat a lost prediction. Jobs are confirmed.
    """

    def __init__(
        self,
        connection: PikaConnection,
        lost: asyncio.Future[str],
        closed: asyncio.Future[None],
        channels: tuple[Channel, Channel],
        callback_queue: str,
        exchange: str,
        user: str | None,
        on_blocked: Callable[[], None],
    ) -> None:
        """Wrap an open connection; call `open_rpc_connection` instead.

        `lost` gets the reason for the loss. `closed` is done when the socket is closed. `exchange`
        routes to the queues. `user` is whose connection it is, and who sends the messages.
        """
        self.connection = connection
        self.lost = lost
        self.callback_queue = callback_queue
        self.exchange = exchange
        self._user = user
        self.blocked = False
        self.published = 0
        self.confirms: dict[int, asyncio.Future[None]] = {}  # by the jobs' delivery tags
        self._closed = closed
        self._calls, self._jobs = channels
        self._on_blocked = on_blocked
        connection.add_on_connection_blocked_callback(self._block)
        connection.add_on_connection_unblocked_callback(self._unblock)

    def publish_call(
        self, queue: str, body: bytes, correlation_id: str, content_type: str, seconds: float
    ) -> None:
        """Publish a request that expires after `seconds`. Raises `errors.BrokerUnavailable`."""
        properties = pika.BasicProperties(
            correlation_id=correlation_id,
            reply_to=self.callback_queue,
            timestamp=int(time.time()),
            expiration=str(int(seconds * 1000)),
            content_type=content_type,
            user_id=self._user,
            headers=trace_headers(tracing.traceparent()),
        )
        self._publish(self._calls, queue, body, properties)

    def publish_job(
        self, queue: str, body: bytes, correlation_id: str, job_id: str, *, replied: bool
    ) -> asyncio.Future[None]:
        """Publish a persistent message; return a future of its confirm.

        The message asks for a reply if `replied`. The call and the future may raise
        `errors.BrokerUnavailable`.
        """
        properties = pika.BasicProperties(
            correlation_id=correlation_id,
            reply_to=self.callback_queue if replied else None,
            timestamp=int(time.time()),
            message_id=job_id,
            delivery_mode=pika.DeliveryMode.Persistent,
            content_type=JSON_MEDIA_TYPE,
            user_id=self._user,
            headers=trace_headers(tracing.traceparent()),
        )
        self._publish(self._jobs, queue, body, properties)
        self.published += 1
        confirm: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.confirms[self.published] = confirm
        return confirm

    async def count(self, queue: str) -> QueueCount:
        """Count what a queue has. Raises `errors.Unroutable` if it is missing."""
        frame = await declare_passively(
            self.connection,
            self.lost,
            lambda channel, done: channel.queue_declare(queue, passive=True, callback=done),
        )
        if frame is None:
            raise errors.Unroutable(f"queue {queue} does not exist")
        return QueueCount(frame.method.message_count, frame.method.consumer_count)

    async def close(self) -> None:
        """Close the connection."""
        if self.connection.is_open:
            self.connection.close()
        await asyncio.wait([self._closed], timeout=CLOSE_SECONDS)

    async def consume_replies(self, on_reply: Callable[[str | None, bytes], None]) -> None:
        """Enable confirms, and call `on_reply` with each reply's correlation id and body."""

        def deliver(_channel: Channel, _method: Any, properties: Any, body: bytes) -> None:
            on_reply(properties.correlation_id, body)

        await wait_for_callback(
            lambda done: self._jobs.confirm_delivery(self._confirmed, done), self.lost
        )
        await wait_for_callback(
            lambda done: self._calls.basic_consume(
                self.callback_queue, deliver, auto_ack=True, callback=done
            ),
            self.lost,
        )

    def _publish(
        self, channel: Channel, queue: str, body: bytes, properties: pika.BasicProperties
    ) -> None:
        try:
            channel.basic_publish(self.exchange, queue, body, properties, mandatory=True)
        except AMQPError as error:
            raise unreachable(error) from error

    def _confirmed(self, frame: Any) -> None:
        """Settle the futures of the deliveries that a Basic.Ack or Basic.Nack covers."""
        tag, multiple = frame.method.delivery_tag, frame.method.multiple
        for each in [t for t in self.confirms if t == tag or (multiple and t < tag)]:
            confirm = self.confirms.pop(each)
            if isinstance(frame.method, pika.spec.Basic.Ack):
                succeed(confirm, None)
            else:
                full = errors.BrokerUnavailable("RabbitMQ refused the job: its queue is full")
                fail(confirm, full)

    def fail_confirms(self, detail: str) -> None:
        """Fail the confirms that have not arrived."""
        for confirm in self.confirms.values():
            fail(confirm, errors.BrokerUnavailable(detail))

    def _block(self, *_: object) -> None:
        self.blocked = True
        self.fail_confirms(BLOCKED_DETAIL)
        self._on_blocked()

    def _unblock(self, *_: object) -> None:
        self.blocked = False


async def open_rpc_connection(
    parameters: pika.ConnectionParameters,
    on_reply: Callable[[str | None, bytes], None],
    on_return: Callable[[str | None, str], None],
    on_blocked: Callable[[], None],
) -> RpcConnection:
    """Connect and consume from a server-named exclusive queue.

    `on_reply` gets the correlation id and body of each reply. `on_return` gets the correlation id
    and queue name of each message whose queue does not exist. Raises `errors.BrokerUnavailable`.
    """
    # In a thread, because to read the authorities of the system takes some 60 ms.
    encrypted = await asyncio.to_thread(with_tls, parameters)
    loop = asyncio.get_running_loop()
    lost: asyncio.Future[str] = loop.create_future()
    closed: asyncio.Future[None] = loop.create_future()

    def lose(_: object, error: BaseException) -> None:
        succeed(lost, reason(error))

    def close(_: object, error: BaseException) -> None:
        succeed(lost, reason(error))
        succeed(closed, None)

    def return_(_channel: Channel, method: Any, properties: Any, _body: bytes) -> None:
        on_return(properties.correlation_id, method.routing_key)

    connection: PikaConnection | None = None

    def begin(opened: Callable[[Any], None]) -> None:
        nonlocal connection
        connection = PikaConnection(encrypted, opened, lose, close)

    try:
        await wait_for_callback(begin, lost)
        assert connection is not None
        calls, jobs = [await open_channel(connection, lost) for _ in range(2)]
        for channel in (calls, jobs):
            channel.add_on_close_callback(lose)
            channel.add_on_return_callback(return_)
        calls.add_on_cancel_callback(lambda _: lose(None, ConsumerCancelled()))
        frame = await wait_for_callback(
            lambda done: calls.queue_declare("", exclusive=True, callback=done), lost
        )
        made = RpcConnection(
            *(connection, lost, closed, (calls, jobs), frame.method.queue),
            *(await work_exchange(connection, lost), login_of(parameters), on_blocked),
        )
        await made.consume_replies(on_reply)
    except BaseException:
        if connection is not None:
            with contextlib.suppress(AMQPError):
                connection.close()
        raise
    return made
