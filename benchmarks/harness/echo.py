"""The other side of the floor: `python -m benchmarks.echo QUEUE` sends back whatever comes."""

import asyncio
import os
import sys
from typing import Any

import pika
from pika.channel import Channel

from benchmarks.harness import amqp


def reply(channel: Channel, _: Any, properties: pika.BasicProperties, body: bytes) -> None:
    """Send a message back to where its sender waits."""
    back = pika.BasicProperties(correlation_id=properties.correlation_id)
    channel.basic_publish("", properties.reply_to or "", body, back)


async def serve(queue: str) -> None:
    """Echo until the connection or the process ends."""
    channel = await amqp.channel_of(os.environ)
    ended = asyncio.get_running_loop().create_future()
    channel.add_on_close_callback(lambda *_: ended.set_result(None))
    await amqp.called_back(
        lambda done: channel.basic_consume(queue, reply, auto_ack=True, callback=done)
    )
    await ended


if __name__ == "__main__":
    amqp.run(serve(sys.argv[1]))
