"""What each safety costs, by switching it: raw pika against the broker, on queues of its own."""

import asyncio
import secrets
from collections import defaultdict
from collections.abc import Mapping
from time import perf_counter
from typing import Any

import pika
from pika.channel import Channel

from benchmarks.harness import amqp
from benchmarks.harness.amqp import Figures, Window
from benchmarks.harness.servers import Bench
from benchmarks.reporting.figures import middle, shown
from benchmarks.scenarios.floor import call, echoed

NAME = "safety"

IN_FLIGHT = 64
UNCONFIRMED_RATE = 20_000  # messages for each second of a measurement; nothing else bounds them
PERSISTENT = pika.BasicProperties(delivery_mode=pika.DeliveryMode.Persistent)


def run(bench: Bench) -> list[dict[str, Any]]:
    """Measure each way of publishing in turn, in every round."""
    rates: dict[str, list[float]] = defaultdict(list)
    times: dict[str, list[float]] = defaultdict(list)
    body, seconds = bench.body, bench.seconds
    with bench.vhost() as vhost, echoed(bench, vhost) as queue:
        settings = bench.settings(vhost)
        for _ in range(bench.rounds):
            for mandatory in (True, False):
                name = f"prediction, {'' if mandatory else 'not '}mandatory"
                alone, many = (
                    amqp.run(call(settings, queue, body, in_flight, seconds, mandatory))
                    for in_flight in (1, IN_FLIGHT)
                )
                rates[name].append(many.rate)
                times[name].append(alone.p50)
            for kind in ("quorum", "classic"):
                name = f"job, {kind} queue, confirmed"
                alone, many = (
                    amqp.run(confirmed(settings, kind, body, in_flight, seconds))
                    for in_flight in (1, IN_FLIGHT)
                )
                rates[name].append(many.rate)
                times[name].append(alone.p50)
                name = f"job, {kind} queue, unconfirmed"
                count = int(UNCONFIRMED_RATE * seconds)
                rates[name].append(amqp.run(unconfirmed(settings, kind, body, count)))
    return [
        shown(
            {
                "publishing": name,
                f"messages/s, {IN_FLIGHT} in flight": middle(rates[name]),
                "p50 ms, one at a time": middle(times[name], 2) if times[name] else None,
            }
        )
        for name in rates
    ]


async def confirmed(
    settings: Mapping[str, str], kind: str, body: bytes, in_flight: int, seconds: float
) -> Figures:
    """Publish persistent messages as jobs are, each waiting for its confirm."""
    channel = await amqp.channel_of(settings)
    queue = await new_queue(channel, kind)
    window = Window(lambda _: channel.basic_publish("", queue, body, PERSISTENT, mandatory=True))

    def settled(frame: Any) -> None:
        if not isinstance(frame.method, pika.spec.Basic.Ack):
            raise TypeError(f"the broker refused a message: {frame.method}")
        if frame.method.multiple:
            window.answered_up_to(frame.method.delivery_tag)
        else:
            window.answered(frame.method.delivery_tag)

    await amqp.called_back(lambda done: channel.confirm_delivery(settled, done))
    try:
        return await window.measure(in_flight, seconds)
    finally:
        await remove(channel, queue)


async def unconfirmed(settings: Mapping[str, str], kind: str, body: bytes, count: int) -> float:
    """Publish so many persistent messages; return how many a second the queue has taken."""
    channel = await amqp.channel_of(settings)
    queue = await new_queue(channel, kind)
    try:
        begun = perf_counter()
        for number in range(count):
            channel.basic_publish("", queue, body, PERSISTENT, mandatory=True)
            if number % IN_FLIGHT == 0:
                await asyncio.sleep(0)  # published messages leave only when the loop turns
        while await ready(channel, queue) < count:  # noqa: ASYNC110  a queue sends no events
            await asyncio.sleep(0.005)
        return count / (perf_counter() - begun)
    finally:
        await remove(channel, queue)


async def new_queue(channel: Channel, kind: str) -> str:
    """Declare a durable queue of a type and return its name."""
    name = f"bench.{kind}.{secrets.token_hex(4)}"
    arguments = {"x-queue-type": kind}
    await amqp.called_back(
        lambda done: channel.queue_declare(name, durable=True, arguments=arguments, callback=done)
    )
    return name


async def ready(channel: Channel, queue: str) -> int:
    """Count the messages that a queue holds."""
    found = await amqp.called_back(
        lambda done: channel.queue_declare(queue, passive=True, callback=done)
    )
    return int(found.method.message_count)


async def remove(channel: Channel, queue: str) -> None:
    """Delete a queue with its messages, and close the connection."""
    await amqp.called_back(lambda done: channel.queue_delete(queue, callback=done))
    await amqp.close(channel)
