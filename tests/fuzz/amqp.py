"""The second door: messages in the queues, published by a client of its own."""

from collections.abc import Callable
from contextlib import suppress

import pika
from pika.adapters.blocking_connection import BlockingChannel
from pika.exceptions import AMQPError, NackError, UnroutableError

from app.amqp.topology import (
    DEAD_LETTER_QUEUE,
    INVOKE_QUEUE,
    PREDICT_ASYNC_QUEUE,
    PREDICT_QUEUE,
    TRAIN_QUEUE,
)
from tests.fuzz.messages import CALLBACK, Letter
from tests.fuzz.properties import Raw
from tests.fuzz.web import Seen
from tests.support.waiting import until

EMPTY_SECONDS = 60
OF_WORK = (TRAIN_QUEUE, PREDICT_QUEUE, INVOKE_QUEUE, PREDICT_ASYNC_QUEUE)

Case = tuple[int, Letter]


class Publisher:
    """Publishes whatever it is given; lives in one thread.

    `callback` is the name of the producer's callback queue.
    """

    def __init__(self, connect: Callable[[], pika.BlockingConnection], callback: str) -> None:
        self._connect = connect
        self._callback = callback.encode()
        self._connection = connect()
        self._channel = self._connection.channel()

    def drive(self, cases: list[Case], seen: Seen) -> None:
        """Publish all."""
        plain = [each for each in cases if not each[1].refused]
        try:
            for _, letter in plain:
                self._publish(self._channel, letter)
            self._depth(TRAIN_QUEUE)  # an answer says that all before it has been taken
        except AMQPError:
            # One of them was more than the broker takes: find it, and publish the others.
            self._again(plain, seen)
        else:
            seen.counts.update(f"to {letter.kind}" for _, letter in plain)
        self._again([each for each in cases if each[1].refused], seen)

    def _again(self, cases: list[Case], seen: Seen) -> None:
        """Publish one by one, and note what the broker refuses: that is its right."""
        for _, letter in cases:
            outcome = ""
            try:
                self._open()
                channel = self._connection.channel()
                channel.confirm_delivery()
                with suppress(NackError, UnroutableError):
                    self._publish(channel, letter)
                channel.close()
            except AMQPError:
                outcome = " refused"
            seen.counts[f"to {letter.kind}{outcome}"] += 1
        self._open()

    def _open(self) -> None:
        if not self._connection.is_open:
            self._connection = self._connect()
        if not self._channel.is_open or self._channel.connection is not self._connection:
            self._channel = self._connection.channel()

    def _publish(self, channel: BlockingChannel, letter: Letter) -> None:
        queue = self._callback.decode() if letter.queue == CALLBACK else letter.queue
        encoded = letter.properties
        if CALLBACK.encode() in encoded:
            name = CALLBACK.encode()
            encoded = encoded.replace(
                bytes([len(name)]) + name, bytes([len(self._callback)]) + self._callback
            )
        channel.basic_publish("", queue, letter.body, Raw(encoded))

    def _depth(self, queue: str) -> int:
        return int(self._channel.queue_declare(queue, passive=True).method.message_count)

    def drained(self) -> int:
        """Wait until the queues of work are empty; count and throw away the dead letters.

        Nobody reads them here, and a hundred thousand are all that their queue takes.
        """
        self._open()
        for queue in OF_WORK:
            until(lambda queue=queue: not self._depth(queue), f"{queue} is empty", EMPTY_SECONDS)
        return int(self._channel.queue_purge(DEAD_LETTER_QUEUE).method.message_count)

    def consumers(self) -> list[int]:
        """Count the consumers of each queue of work."""
        return [
            int(self._channel.queue_declare(queue, passive=True).method.consumer_count)
            for queue in OF_WORK
        ]

    def close(self) -> None:
        with suppress(AMQPError):
            self._connection.close()
