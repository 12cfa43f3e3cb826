"""The barest client of a broker: pika under uvloop, and a closed loop of messages in flight."""

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any, TypeVar

import pika
import uvloop
from pika.adapters.asyncio_connection import AsyncioConnection
from pika.channel import Channel

from benchmarks.harness.hey import quantile

WARM_SECONDS = 0.5

T = TypeVar("T")


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine to its end, on uvloop as the producer does."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(work)


def parameters(settings: Mapping[str, str]) -> pika.ConnectionParameters:
    """Return how to reach the broker of a stack's settings."""
    return pika.ConnectionParameters(
        settings["RABBITMQ_HOST"],
        int(settings["RABBITMQ_PORT"]),
        settings.get("RABBITMQ_VHOST", "/"),
        pika.PlainCredentials(settings["RABBITMQ_USER"], settings["RABBITMQ_PASSWORD"]),
    )


async def called_back(start: Callable[[Callable[[Any], None]], object]) -> Any:
    """Return what `start` gets called back with."""
    done = asyncio.get_running_loop().create_future()
    start(done.set_result)
    return await asyncio.wait_for(done, 10)


async def channel_of(settings: Mapping[str, str]) -> Channel:
    """Connect and open a channel; its `connection` is to be closed."""
    connection = await called_back(
        lambda done: AsyncioConnection(parameters(settings), on_open_callback=done)
    )
    channel: Channel = await called_back(lambda done: connection.channel(on_open_callback=done))
    return channel


async def close(channel: Channel) -> None:
    """Close a channel's connection and wait until it is."""
    closed = asyncio.Event()
    channel.connection.add_on_close_callback(lambda *_: closed.set())
    channel.connection.close()
    await asyncio.wait_for(closed.wait(), 10)


@dataclass(frozen=True)
class Figures:
    """What a closed loop reached: answers a second, and their times in ms."""

    rate: float
    p50: float
    p99: float


@dataclass
class Window:
    """A closed loop: as many in flight as `measure` says; each answer sends the next message.

    `send` gets the number of the message, counted from 1; whoever sees its answer says `answered`.
    """

    send: Callable[[int], None]
    _begun: dict[int, float] = field(default_factory=dict)
    _took: list[float] = field(default_factory=list)
    _sent: int = 0
    _open: bool = True
    _idle: asyncio.Event = field(default_factory=asyncio.Event)

    async def measure(self, in_flight: int, seconds: float) -> Figures:
        """Warm up, count for so many seconds, and wait for the calls in flight."""
        for _ in range(in_flight):
            self._next()
        await asyncio.sleep(WARM_SECONDS)
        self._took, begun = [], perf_counter()
        await asyncio.sleep(seconds)
        passed = perf_counter() - begun
        took = sorted(self._took)
        self._open = False
        await asyncio.wait_for(self._idle.wait(), 10)
        return Figures(len(took) / passed, 1e3 * quantile(took, 0.50), 1e3 * quantile(took, 0.99))

    def answered(self, number: int) -> None:
        """Take the time of a message's answer, and send another in its stead."""
        self._took.append(perf_counter() - self._begun.pop(number))
        if self._open:
            self._next()
        elif not self._begun:
            self._idle.set()

    def answered_up_to(self, number: int) -> None:
        """Do the same for every message up to this one."""
        for each in [each for each in self._begun if each <= number]:
            self.answered(each)

    def _next(self) -> None:
        self._sent += 1
        self._begun[self._sent] = perf_counter()
        self.send(self._sent)
