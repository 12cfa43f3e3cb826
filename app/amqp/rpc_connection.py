"""pika's callbacks as awaitables: a connection with the two channels that the RPC client needs."""

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pika
from pika.channel import Channel
from pika.exceptions import AMQPError, ConsumerCancelled

from app import errors
from app.amqp.connection import PikaConnection

BLOCKED_DETAIL = "RabbitMQ is out of memory or disk, and takes nothing"

_Future = asyncio.Future[Any]


@dataclass
class RpcConnection:
    """One connection's life. `lost` gets the exception that ended it, `closed` the socket's end.

    `calls` is unconfirmed: a prediction that got lost is asked again. `jobs` confirms, and
    `confirms` holds a future for each of its deliveries.
    """

    connection: PikaConnection
    lost: _Future
    closed: _Future
    calls: Channel
    jobs: Channel
    callback_queue: str
    blocked: bool = False
    published: int = 0
    confirms: dict[int, _Future] = field(default_factory=dict)

    def close(self) -> None:
        """Close the connection and fail what waits for a confirm."""
        self.give_up("RabbitMQ was lost before it confirmed the job")
        if self.connection.is_open:
            self.connection.close()

    def give_up(self, why: str) -> None:
        """Fail what waits for a confirm."""
        for confirm in self.confirms.values():
            fail(confirm, errors.BrokerUnavailable(why))

    def confirmed(self, frame: Any) -> None:
        """Settle the futures that a Basic.Ack or Basic.Nack speaks of."""
        tag, multiple = frame.method.delivery_tag, frame.method.multiple
        for each in [t for t in self.confirms if t == tag or (multiple and t < tag)]:
            confirm = self.confirms.pop(each)
            if isinstance(frame.method, pika.spec.Basic.Ack):
                succeed(confirm, None)
            else:
                fail(
                    confirm, errors.BrokerUnavailable("RabbitMQ refused the job: its queue is full")
                )


async def connect(
    parameters: pika.ConnectionParameters,
    on_reply: Callable[..., None],
    on_return: Callable[..., None],
    on_blocked: Callable[[], None],
) -> RpcConnection:
    """Connect, and consume from a server-named exclusive queue. Raises `BrokerUnavailable`."""
    loop = asyncio.get_running_loop()
    lost: _Future = loop.create_future()
    closed: _Future = loop.create_future()

    def lose(_: object, error: BaseException) -> None:
        succeed(lost, error)

    def close(_: object, error: BaseException) -> None:
        succeed(lost, error)
        succeed(closed, None)

    connection: PikaConnection | None = None

    def begin(opened: Callable[[Any], None]) -> None:
        nonlocal connection
        connection = PikaConnection(parameters, opened, lose, close)

    try:
        await wait_for_callback(begin, lost)
        assert connection is not None
        calls, jobs = [await open_channel(connection, lost) for _ in range(2)]
        for channel in (calls, jobs):
            channel.add_on_close_callback(lose)
            channel.add_on_return_callback(on_return)
        calls.add_on_cancel_callback(lambda _: lose(None, ConsumerCancelled()))
        frame = await wait_for_callback(
            lambda done: calls.queue_declare("", exclusive=True, callback=done), lost
        )
        name = frame.method.queue
        session = RpcConnection(connection, lost, closed, calls, jobs, name)
        await wait_for_callback(lambda done: jobs.confirm_delivery(session.confirmed, done), lost)

        def block(*_: object) -> None:
            session.blocked = True
            session.give_up(BLOCKED_DETAIL)
            on_blocked()

        connection.add_on_connection_blocked_callback(block)
        connection.add_on_connection_unblocked_callback(
            lambda *_: setattr(session, "blocked", False)
        )
        await wait_for_callback(
            lambda done: calls.basic_consume(name, on_reply, auto_ack=True, callback=done), lost
        )
    except BaseException:
        if connection is not None:
            with contextlib.suppress(AMQPError):
                connection.close()
        raise
    return session


async def open_channel(connection: PikaConnection, lost: _Future) -> Channel:
    """Open a channel. Raises `errors.BrokerUnavailable`."""
    channel: Channel = await wait_for_callback(
        lambda done: connection.channel(on_open_callback=done), lost
    )
    return channel


async def wait_for_callback(start: Callable[[Callable[[Any], None]], object], lost: _Future) -> Any:
    """Return what `start` gets called back with; raise `BrokerUnavailable` if `lost` is first."""
    done: _Future = asyncio.get_running_loop().create_future()
    try:
        start(lambda result: succeed(done, result))
    except AMQPError as error:
        raise errors.BrokerUnavailable(f"RabbitMQ cannot be reached: {error!r}") from error
    await asyncio.wait({done, lost}, return_when=asyncio.FIRST_COMPLETED)
    if lost.done():
        raise errors.BrokerUnavailable(f"RabbitMQ cannot be reached: {lost.result()!r}")
    return done.result()


def succeed(future: _Future, result: Any) -> None:
    """Set a result unless the future has ended already."""
    if not future.done():
        future.set_result(result)


def fail(future: _Future, error: Exception) -> None:
    """Set an exception unless the future has ended already."""
    if not future.done():
        future.set_exception(error)
