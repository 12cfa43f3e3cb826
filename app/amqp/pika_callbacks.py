"""pika's callbacks as awaitables."""

import asyncio
import logging
from collections.abc import Callable
from typing import Any

from pika.channel import Channel
from pika.exceptions import AMQPError, ChannelClosedByBroker

from app import errors
from app.amqp.connection import PikaConnection, unreachable
from app.amqp.topology import WORK_EXCHANGE
from app.concurrency import succeed

log = logging.getLogger(__name__)

Lost = asyncio.Future[str]  # done with the reason when a connection or a channel is lost


async def wait_for_callback(start: Callable[[Callable[[Any], None]], object], lost: Lost) -> Any:
    """Call `start` with a callback, and return the result that the callback gets.

    Raises `errors.BrokerUnavailable` when `start` fails, or `lost` is done first.
    """
    done: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
    try:
        start(lambda result: succeed(done, result))
    except AMQPError as error:
        raise unreachable(error) from error
    await asyncio.wait({done, lost}, return_when=asyncio.FIRST_COMPLETED)
    if lost.done():
        raise errors.BrokerUnavailable(f"RabbitMQ cannot be reached: {lost.result()}")
    return done.result()


async def open_channel(connection: PikaConnection, lost: Lost) -> Channel:
    """Open a channel. Raises `errors.BrokerUnavailable`."""
    channel: Channel = await wait_for_callback(
        lambda done: connection.channel(on_open_callback=done), lost
    )
    return channel


async def declare_passively(
    connection: PikaConnection,
    lost: Lost,
    start: Callable[[Channel, Callable[[Any], None]], object],
) -> Any:
    """Return what a passive declare answers, or None if the broker refuses it.

    A refusal closes the channel, so `start` gets a separate one, and its callback. Raises
    `errors.BrokerUnavailable`.
    """
    channel = await open_channel(connection, lost)
    closed: Lost = asyncio.get_running_loop().create_future()
    refused = False

    def close(_: object, error: BaseException) -> None:
        nonlocal refused
        refused = isinstance(error, ChannelClosedByBroker)
        succeed(closed, repr(error))

    channel.add_on_close_callback(close)
    try:
        return await wait_for_callback(lambda done: start(channel, done), closed)
    except errors.BrokerUnavailable:
        if refused:
            return None
        raise
    finally:
        if channel.is_open:
            channel.close()


async def work_exchange(connection: PikaConnection, lost: asyncio.Future[str]) -> str:
    """Return the exchange of work, or the default one while it has not been declared yet.

    The relay declares it, or whoever imports the definitions of this version.
    """
    found = await declare_passively(
        connection,
        lost,
        lambda channel, done: channel.exchange_declare(WORK_EXCHANGE, passive=True, callback=done),
    )
    if found is None:
        log.info("%s does not exist yet: messages go through the default exchange", WORK_EXCHANGE)
    return "" if found is None else WORK_EXCHANGE
