"""Read, replay and delete dead letters without changing their order.

A reader consumes the whole queue and acknowledges nothing. When its channel closes, even by a
crash, a quorum queue requeues the messages of one consumer in their order, but behind messages that
were requeued before. The order would change if a reader took only a part, if it used basic.get
(each one is a consumer), or if two readers worked at a time. A lock prevents the last case.
"""

import copy
import hashlib
import json
import re
import time
from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Any

import pika
from pika import exceptions
from pika.adapters.blocking_connection import BlockingChannel

from app import errors
from app.amqp.connection import connect, connection_parameters
from app.amqp.permissions import DEAD_LETTER_LOCK as LOCK
from app.amqp.permissions import owner_of_client
from app.amqp.tls import reason
from app.amqp.topology import (
    DEAD_LETTER_QUEUE,
    PUBLIC_QUEUES,
    REQUEST_EXCHANGE,
    RETRY_QUEUES,
    WORK_EXCHANGE,
    WORK_QUEUES,
)
from app.settings import Settings

MAX_PREFETCH = 65535  # the largest number in the protocol; 0 is unlimited
WAIT_SECONDS = 10.0  # for the next message, and for messages to be requeued

_IMPERSONATE = "; only a user with the tag impersonator may send a message of another user again"
READ_COUNTERS = {"x-delivery-count", "x-acquired-count"}  # every reading changes them
# The broker's own headers, and CC and BCC, which would route a message to further queues.
NOT_REPLAYED = re.compile(
    r"x-(delivery|acquired)-count|x-death|x-(first|last)-death-(queue|reason|exchange)|B?CC"
)


@dataclass(frozen=True)
class DeadLetter:
    """A message of the dead-letter queue. Its `id` is the same at every reading."""

    id: str
    delivery_tag: int
    properties: pika.BasicProperties
    body: bytes

    @property
    def death(self) -> dict[str, Any]:
        """The newest entry of `x-death`, or `{}`. Each retry queue adds an entry, too."""
        match (self.properties.headers or {}).get("x-death"):
            case [dict() as last, *_]:
                return last
        return {}


class DeadLetterQueue:
    """The locked queue. `messages` yields the messages that were there when it was opened."""

    def __init__(self, connection: pika.BlockingConnection) -> None:
        """Take the lock. Raises `ChannelClosedByBroker`, with 405 if another reader has it."""
        self._connection = connection
        self._channel = connection.channel()
        self._consumer = connection.channel()  # its close requeues unacked messages
        self._publisher: BlockingChannel | None = None
        self._unacked = 0
        # The broker deletes an exclusive queue with the connection that declared it.
        self._channel.queue_declare(LOCK, exclusive=True)
        self.total = self._ready()
        self.messages = self._consume()

    def _ready(self) -> int:
        return self._channel.queue_declare(DEAD_LETTER_QUEUE, passive=True).method.message_count

    def _consume(self) -> Iterator[DeadLetter]:
        seen: Counter[str] = Counter()
        self._consumer.basic_qos(prefetch_count=self.total if self.total <= MAX_PREFETCH else 0)
        deliveries = self._consumer.consume(DEAD_LETTER_QUEUE, inactivity_timeout=WAIT_SECONDS)
        for method, properties, body in islice(deliveries, self.total):
            if method is None or properties is None or body is None:
                break  # another client holds the rest
            self._unacked += 1
            digest = _digest(properties, body)
            seen[digest] += 1
            id_ = f"{digest}-{seen[digest]}" if seen[digest] > 1 else digest
            yield DeadLetter(id_, method.delivery_tag or 0, properties, body)
        self._consumer.cancel()  # replayed messages that come back are not consumed again

    def select(self, ids: Collection[str]) -> Iterable[DeadLetter]:
        """Return the messages with these ids, or all without ids.

        Raises `errors.NotFound`, whose extra `gone` lists the ids that are not there.
        """
        if not ids:
            return self.messages
        found = {message.id: message for message in self.messages if message.id in ids}
        if missing := [each for each in dict.fromkeys(ids) if each not in found]:
            detail = f"not in {DEAD_LETTER_QUEUE}: {', '.join(missing)}"
            raise errors.NotFound(None, detail, gone=missing)
        return found.values()

    def replay(self, message: DeadLetter, to: str | None, *, as_default: bool = False) -> None:
        """Publish a message to `to` or the queue it died in; delete it once that is confirmed.

        Its sender's `user_id` stays, because it tells for whom the message acts. Without one it
        would act for the owner `default`, so it is only published if `as_default` is true. Keeps
        the message and raises `errors.Unavailable` or `Forbidden` if it is not published.
        """
        queue = to or message.death.get("queue")
        if not to and queue not in WORK_QUEUES:
            origin = plain(queue) or "an unknown queue"
            raise errors.Unroutable(f"it comes from {origin}; name a queue with --to")
        headers = message.properties.headers or {}
        properties = copy.copy(message.properties)
        properties.headers = {k: headers[k] for k in headers if not NOT_REPLAYED.fullmatch(str(k))}
        properties.expiration = None  # else it may expire before it is consumed
        origin, user = message.death.get("exchange"), properties.user_id
        exchange = _exchange_for(str(queue), origin, user, as_default=as_default)
        try:
            if not self._publisher or not self._publisher.is_open:
                self._publisher = self._connection.channel()
                self._publisher.confirm_delivery()
            self._publisher.basic_publish(
                exchange, str(queue), message.body, properties, mandatory=True
            )
        except (exceptions.UnroutableError, exceptions.ShortStringTooLong):
            raise errors.Unroutable(f"there is no queue {queue}") from None
        except exceptions.NackError:
            raise errors.Unavailable(f"RabbitMQ rejects it; {queue} may be full") from None
        except exceptions.ChannelClosedByBroker as error:
            hint = _IMPERSONATE if "user_id" in error.reply_text else ""
            raise errors.Unavailable(f"RabbitMQ rejects it: {error.reply_text}{hint}") from None
        self.delete(message)

    def delete(self, message: DeadLetter) -> None:
        """Delete a message by an ack."""
        self._consumer.basic_ack(message.delivery_tag)
        self._unacked -= 1

    def close(self) -> None:
        """Requeue the messages that were not deleted, and release the lock.

        The broker has processed all acks when this returns.
        """
        for _ in self.messages:
            pass  # a message that was not read would be requeued ahead of the others
        self._consumer.close()
        deadline = time.monotonic() + WAIT_SECONDS
        while self._ready() < self._unacked and time.monotonic() < deadline:
            self._connection.sleep(0.01)  # the broker requeues a moment after the close
        self._channel.queue_delete(LOCK)  # else it stays a moment longer than the connection


@contextmanager
def open_dead_letters(settings: Settings) -> Iterator[DeadLetterQueue]:
    """Connect, and lock the queue. Raises `errors.BrokerUnavailable` for pika's errors."""
    problem = f"RabbitMQ at {settings.rabbitmq_host}:{settings.rabbitmq_port} cannot be reached"
    try:
        with connect(connection_parameters(settings, "warren deadletters")) as connection:
            problem = (
                f"the connection was lost; unfinished messages are still in {DEAD_LETTER_QUEUE}"
            )
            queue = DeadLetterQueue(connection)
            try:
                yield queue
            finally:
                if connection.is_open:
                    queue.close()
    except exceptions.ChannelClosedByBroker as error:
        hint = (
            "; another reader of the dead letters holds the lock, try again"
            if error.reply_code == 405
            else ""
        )
        raise errors.BrokerUnavailable(f"RabbitMQ refuses: {error.reply_text}{hint}") from None
    except (exceptions.AMQPError, OSError) as error:  # OSError: a host name that does not resolve
        raise errors.BrokerUnavailable(f"{problem}: {reason(error)}") from None


def _exchange_for(queue: str, origin: object, user: str | None, *, as_default: bool) -> str:
    """Return the exchange for a replay. A request of a client stays one.

    `origin` is where the message was published at first. It comes from a header that clients can
    forge, so it gives no right: through the exchange of requests a message needs a user. The
    exchange of work has no binding for a queue of others.
    """
    if queue not in (*WORK_QUEUES, *RETRY_QUEUES):
        return ""
    if queue in PUBLIC_QUEUES and (origin == REQUEST_EXCHANGE or owner_of_client(user or "")):
        return REQUEST_EXCHANGE
    if user is None and not as_default:
        raise errors.Forbidden(
            "it names no user, so it would act for the owner default; "
            "look at it with show, and replay it with --as-default if it may"
        )
    return WORK_EXCHANGE


def _digest(properties: pika.BasicProperties, body: bytes) -> str:
    fields: dict[str, Any] = plain(vars(properties))
    headers = fields["headers"] or {}
    fields["headers"] = {key: headers[key] for key in headers if key not in READ_COUNTERS}
    known = json.dumps(fields, sort_keys=True).encode()
    return hashlib.sha256(known + b"\n" + body).hexdigest()[:12]


def plain(value: Any) -> Any:
    r"""Convert a property's value to JSON types. Bytes that are not UTF-8 become `\xff` escapes."""
    if isinstance(value, dict):
        return {str(plain(key)): plain(each) for key, each in value.items()}
    if isinstance(value, list):
        return [plain(each) for each in value]
    if isinstance(value, bytes):
        return value.decode(errors="backslashreplace")
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%dT%H:%M:%SZ")
    return value if isinstance(value, str | int | float | None) else str(value)  # a Decimal
