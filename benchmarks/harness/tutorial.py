"""RPC the way of RabbitMQ's tutorial: a BlockingConnection on either side, an ack for each request.

`python -m benchmarks.tutorial QUEUE` is the server; it sends back whatever comes.
"""

import os
import sys
from collections.abc import Mapping
from time import perf_counter
from typing import Any

import pika
from pika.adapters.blocking_connection import BlockingChannel

from benchmarks.harness import amqp
from benchmarks.harness.amqp import WARM_SECONDS, Figures
from benchmarks.harness.hey import quantile


def call(settings: Mapping[str, str], queue: str, body: bytes, seconds: float) -> Figures:
    """Call the server again and again for so many seconds, one call at a time."""
    answers: list[bytes] = []
    took: list[float] = []
    with pika.BlockingConnection(amqp.parameters(settings)) as connection:
        channel = connection.channel()
        callback_queue = channel.queue_declare("", exclusive=True).method.queue
        channel.basic_consume(callback_queue, lambda *got: answers.append(got[3]), auto_ack=True)
        started = perf_counter()
        while (begun := perf_counter()) < started + WARM_SECONDS + seconds:
            asked = pika.BasicProperties(reply_to=callback_queue, correlation_id=str(len(took)))
            channel.basic_publish("", queue, body, asked)
            while not answers:
                connection.process_data_events(time_limit=10)
            answers.clear()
            if begun > started + WARM_SECONDS:
                took.append(perf_counter() - begun)
    took.sort()
    return Figures(len(took) / sum(took), 1e3 * quantile(took, 0.50), 1e3 * quantile(took, 0.99))


def reply(
    channel: BlockingChannel, method: Any, properties: pika.BasicProperties, body: bytes
) -> None:
    """Send a message back to where its sender waits, then ack it."""
    back = pika.BasicProperties(correlation_id=properties.correlation_id)
    channel.basic_publish("", properties.reply_to or "", body, back)
    channel.basic_ack(method.delivery_tag)


def serve(queue: str) -> None:
    """Echo until the process ends."""
    with pika.BlockingConnection(amqp.parameters(os.environ)) as connection:
        channel = connection.channel()
        channel.basic_qos(prefetch_count=1)
        channel.basic_consume(queue, reply)
        channel.start_consuming()


if __name__ == "__main__":
    serve(sys.argv[1])
