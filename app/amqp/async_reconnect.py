"""Reconnect on an event loop; `connection.run_with_reconnect` does the same in a thread."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Protocol, TypeVar

from app import errors
from app.backoff import ReconnectBackoff

log = logging.getLogger(__name__)


class Losable(Protocol):
    """A connection that reports its loss."""

    @property
    def lost(self) -> asyncio.Future[str]:
        """A future that gets the reason when the connection is lost."""

    async def close(self) -> None:
        """Close the connection, lost or not."""


C = TypeVar("C", bound=Losable)


async def run_with_reconnect(
    name: str,
    open_: Callable[[], Awaitable[C]],
    serve: Callable[[C], Awaitable[None]],
    stopping: asyncio.Event,
    backoff: ReconnectBackoff | None = None,
) -> None:
    """Open and `serve` a connection, and repeat this after each loss until `stopping` is set.

    `serve` returns when the connection is lost or `stopping` is set. Both may raise
    `errors.BrokerUnavailable`. A bug is logged and ends only its connection. The log line
    about a loss begins with `name`.
    """
    backoff = backoff or ReconnectBackoff()
    while not stopping.is_set():
        backoff.begin()
        try:
            connection = await open_()
            try:
                await serve(connection)
                cause = connection.lost.result() if connection.lost.done() else "no longer served"
            finally:
                await connection.close()
        except errors.BrokerUnavailable as error:
            cause = error.detail
        except Exception as error:  # a bug must not leave the process without a connection
            log.exception("the connection of %s failed", name)
            cause = repr(error)
        if not stopping.is_set():
            delay = backoff.next()
            log.warning("%s lost RabbitMQ (%s); again in %.1f s", name, cause, delay)
            await wait_for_first(asyncio.sleep(delay), stopping.wait())


async def wait_for_first(*awaitables: Awaitable[object]) -> None:
    """Return when one of these is done; cancel the others."""
    tasks = [asyncio.ensure_future(each) for each in awaitables]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for each in tasks:
            each.cancel()
