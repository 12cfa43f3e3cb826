"""Raw RPC through the broker, no HTTP and no model: what a call cannot be faster than."""

import secrets
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any

import pika

from benchmarks.harness import amqp, tutorial
from benchmarks.harness.amqp import Figures, Window
from benchmarks.harness.servers import Bench
from benchmarks.reporting.figures import middle, shown
from devstack.layout import ROOT
from devstack.program import Program

NAME = "floor"


def run(bench: Bench) -> list[dict[str, Any]]:
    """Measure one call at a time, and 64 in flight."""
    body, rows, times = bench.body, [], range(bench.rounds)
    with bench.vhost() as vhost:
        settings = bench.settings(vhost)
        with echoed(bench, vhost, "benchmarks.harness.tutorial") as queue:
            found = [tutorial.call(settings, queue, body, bench.seconds) for _ in times]
            rows.append(line("as RabbitMQ's tutorial has it", 1, found))
        with echoed(bench, vhost) as queue:
            for in_flight in (1, 64):
                one = partial(call, settings, queue, body, in_flight, bench.seconds)
                found = [amqp.run(one()) for _ in times]
                rows.append(line("pika under uvloop, no acks", in_flight, found))
    return rows


def line(way: str, in_flight: int, found: list[Figures]) -> dict[str, Any]:
    """Return and print medians."""
    return shown(
        {
            "way": way,
            "in flight": in_flight,
            "calls/s": middle([each.rate for each in found]),
            "p50 ms": middle([each.p50 for each in found], 2),
            "p99 ms": middle([each.p99 for each in found], 2),
        }
    )


async def call(
    settings: Mapping[str, str],
    queue: str,
    body: bytes,
    in_flight: int,
    seconds: float,
    mandatory: bool = False,
) -> Figures:
    """Call whoever serves a queue, over one connection with one callback queue."""
    channel = await amqp.channel_of(settings)
    declared = await amqp.called_back(
        lambda done: channel.queue_declare("", exclusive=True, callback=done)
    )
    callback_queue = declared.method.queue

    def send(number: int) -> None:
        properties = pika.BasicProperties(correlation_id=str(number), reply_to=callback_queue)
        channel.basic_publish("", queue, body, properties, mandatory=mandatory)

    window = Window(send)
    await amqp.called_back(
        lambda done: channel.basic_consume(
            callback_queue,
            lambda *answer: window.answered(int(answer[2].correlation_id)),
            auto_ack=True,
            callback=done,
        )
    )
    try:
        return await window.measure(in_flight, seconds)
    finally:
        await amqp.close(channel)


@contextmanager
def echoed(bench: Bench, vhost: str, module: str = "benchmarks.harness.echo") -> Iterator[str]:
    """Run an echo in a process of its own; the value is the name of its queue."""
    queue = f"bench.echo.{secrets.token_hex(4)}"
    settings = bench.settings(vhost)
    program = Program(
        name="echo",
        command=[sys.executable, "-m", module, queue],
        folder=ROOT,
        environment=settings,
    )

    def serves() -> bool:
        with pika.BlockingConnection(amqp.parameters(settings)) as connection:
            channel = connection.channel()
            found = channel.queue_declare(queue, durable=True)  # classic, as predictions have it
            return bool(found.method.consumer_count)

    serves()  # makes the queue
    with bench.children("echo") as children:
        children.start(program, serves, 20)
        yield queue
