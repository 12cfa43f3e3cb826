"""pika's callbacks as awaitables."""

import asyncio
from collections.abc import Callable
from typing import Any

from pika.channel import Channel
from pika.exceptions import AMQPError

from app import errors
from app.amqp.connection import PikaConnection, unreachable
from app.concurrency import succeed

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
