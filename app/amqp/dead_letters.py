"""The queue of the dead letters, looked at without taking.

Whoever looks is for a moment a consumer of the whole queue that acks nothing. When its channel
closes, even by a crash, a quorum queue puts back in their order the messages that one consumer had;
but it puts them behind those that were put back before. So a look at a part would change the order,
and so would two looks at a time, which a lock prevents, and basic.get, where each is a consumer.
"""

import hashlib
import json
import time
from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pika
from pika.adapters.blocking_connection import BlockingChannel
from pika.exceptions import (
    AMQPError,
    ChannelClosedByBroker,
    NackError,
    ShortStringTooLong,
    UnroutableError,
)

from app import errors, strict_json
from app.amqp.connection import connect, connection_parameters
from app.amqp.topology import DEAD_LETTER_QUEUE, WORK_QUEUES
from app.settings import Settings

LOCK = (
    f"{DEAD_LETTER_QUEUE}.lock"  # an exclusive queue: it ends with the connection that declared it
)
MAX_PREFETCH = 65535  # what the protocol can say; 0 is unlimited
PATIENCE_SECONDS = 10.0  # how long the next message may take, and how long the way back

# The broker counts how often a message was looked at; that is no part of what the message is.
COUNTS = {"x-delivery-count", "x-acquired-count"}
# What the broker wrote at a death; and CC and BCC, which would bring a message to other queues too.
BOOKKEEPING = COUNTS | {"x-death", "CC", "BCC"}
BOOKKEEPING |= {
    f"x-{which}-death-{what}"
    for which in ("first", "last")
    for what in ("queue", "reason", "exchange")
}


@dataclass(frozen=True)
class Letter:
    """A message that is held. Its name is the same at every look."""

    name: str
    tag: int
    properties: pika.BasicProperties
    body: bytes

    @property
    def headers(self) -> dict[str, Any]:
        """The headers, if any."""
        return dict(self.properties.headers or {})

    @property
    def death(self) -> dict[str, Any]:
        """The last death. Before it, a training that was retried has died on each rung."""
        deaths = self.headers.get("x-death")
        if isinstance(deaths, list) and deaths and isinstance(deaths[0], dict):
            return deaths[0]
        return {key: self.headers.get(f"x-first-death-{key}") for key in ("queue", "reason")}

    @property
    def job_id(self) -> str | None:
        """The message's id, or that of the model the body speaks of."""
        if self.properties.message_id:
            return str(plain(self.properties.message_id))
        try:
            return str(strict_json.loads(self.body)["model_id"])
        except (errors.Malformed, LookupError, TypeError):
            return None

    @property
    def late(self) -> bool:
        """Whether it had a deadline that has passed, so that nobody waits for the reply."""
        try:
            wait = timedelta(milliseconds=int(self.death["original-expiration"]))
            return bool(self.death["time"] + wait < datetime.now(UTC))
        except (LookupError, TypeError, ValueError, OverflowError):
            return False

    def again(self) -> pika.BasicProperties:
        """Return the properties it had before it died.

        But no expiration, lest it dies on the way, and no user: the broker wants that to be us.
        """
        kept = {key: value for key, value in self.headers.items() if key not in BOOKKEEPING}
        changed = {"headers": kept or None, "expiration": None, "user_id": None}
        return pika.BasicProperties(**vars(self.properties) | changed)


class Box:
    """The queue, on a connection of its own. What was not removed goes back by `close`."""

    def __init__(self, connection: pika.BlockingConnection) -> None:
        """Take the lock."""
        self._connection = connection
        self._control = connection.channel()
        self._incoming = connection.channel()
        self._outgoing: BlockingChannel | None = None
        self._held = 0
        self._control.queue_declare(LOCK, exclusive=True)
        self.total = self._count()
        self.letters = self._arriving()

    def _count(self) -> int:
        return self._control.queue_declare(DEAD_LETTER_QUEUE, passive=True).method.message_count

    def _arriving(self) -> Iterator[Letter]:
        """Hold all that was there when the box was opened: what is replayed may come back."""
        if not self.total:
            return
        seen: Counter[str] = Counter()
        self._incoming.basic_qos(prefetch_count=self.total if self.total <= MAX_PREFETCH else 0)
        arriving = self._incoming.consume(DEAD_LETTER_QUEUE, inactivity_timeout=PATIENCE_SECONDS)
        for method, properties, body in arriving:
            if method is None or properties is None or body is None:
                break  # another client has the rest
            self._held += 1
            name = digest(properties, body)
            seen[name] += 1
            twin = f"-{seen[name]}" if seen[name] > 1 else ""
            yield Letter(name + twin, method.delivery_tag or 0, properties, body)
            if seen.total() == self.total:
                break
        self._incoming.cancel()

    def choose(self, names: Collection[str]) -> Iterable[Letter]:
        """Return the messages of these names, or all if none is named. Raises `errors.NotFound`."""
        if not names:
            return self.letters
        found = {each.name: each for each in self.letters if each.name in names}
        if missing := [name for name in dict.fromkeys(names) if name not in found]:
            raise errors.NotFound(None, f"not in {DEAD_LETTER_QUEUE}: {', '.join(missing)}")
        return found.values()

    def replay(self, letter: Letter, to: str | None) -> None:
        """Publish it, wait for the confirm, and only then remove it; whatever fails keeps it."""
        queue = to or letter.death.get("queue")
        if not to and queue not in WORK_QUEUES:
            came = f"comes from {plain(queue)}" if queue else "does not say where it comes from"
            raise errors.Invalid(None, f"it {came}: say with --to where it shall go")
        try:
            if not self._outgoing or not self._outgoing.is_open:
                self._outgoing = self._connection.channel()
                self._outgoing.confirm_delivery()
            self._outgoing.basic_publish(
                "", str(queue), letter.body, letter.again(), mandatory=True
            )
        except (UnroutableError, ShortStringTooLong):
            raise errors.Unroutable(f"there is no queue {queue}") from None
        except NackError:
            raise errors.Unavailable(f"RabbitMQ does not take it: is {queue} full?") from None
        except ChannelClosedByBroker as error:
            raise errors.Unavailable(f"RabbitMQ does not take it: {error.reply_text}") from None
        self.remove(letter)

    def remove(self, letter: Letter) -> None:
        """Ack it: the broker deletes it."""
        self._incoming.basic_ack(letter.tag)
        self._held -= 1

    def close(self) -> None:
        """Let go. That this returns proves that the acks arrived."""
        for _ in self.letters:
            pass  # what has not arrived would go back before what has
        self._incoming.close()
        deadline = time.monotonic() + PATIENCE_SECONDS
        while self._count() < self._held and time.monotonic() < deadline:
            self._connection.sleep(0.01)  # the way back takes the broker a moment
        self._control.queue_delete(LOCK)  # by itself it would go a moment after the connection


@contextmanager
def opened(settings: Settings) -> Iterator[Box]:
    """Open the box; pika's errors become those of Warren here."""
    what = f"RabbitMQ at {settings.rabbitmq_host}:{settings.rabbitmq_port} cannot be reached"
    try:
        parameters = connection_parameters(settings, "warren deadletters")
        with connect(parameters) as connection:
            what = f"RabbitMQ was lost; what was not finished is still in {DEAD_LETTER_QUEUE}"
            box = Box(connection)
            try:
                yield box
            finally:
                if connection.is_open:
                    box.close()
    except ChannelClosedByBroker as error:
        if error.reply_code == 404:
            raise errors.Unroutable(f"there is no queue {DEAD_LETTER_QUEUE} (yet)") from None
        if error.reply_code == 405:
            raise errors.Unavailable("another run of this program is at it; try again") from None
        raise errors.BrokerUnavailable(f"RabbitMQ refuses: {error.reply_text}") from None
    except (AMQPError, OSError) as error:  # OSError: a name that does not resolve
        raise errors.BrokerUnavailable(f"{what}: {error!r}") from None


def digest(properties: pika.BasicProperties, body: bytes) -> str:
    """Return a name for a message, made of all that it holds."""
    said: dict[str, Any] = plain(vars(properties))
    said["headers"] = {k: v for k, v in (said.get("headers") or {}).items() if k not in COUNTS}
    known = json.dumps(said, sort_keys=True, default=str).encode()
    return hashlib.sha256(known + b"\n" + body).hexdigest()[:12]


def plain(value: Any) -> Any:
    """Return a property's value as JSON has it: bytes that are no text with their escapes."""
    if isinstance(value, dict):
        return {str(plain(key)): plain(each) for key, each in value.items()}
    if isinstance(value, list):
        return [plain(each) for each in value]
    if isinstance(value, bytes):
        return value.decode(errors="backslashreplace")
    return value.strftime("%Y-%m-%dT%H:%M:%SZ") if isinstance(value, datetime) else value
