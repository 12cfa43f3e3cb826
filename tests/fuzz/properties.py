"""AMQP properties as they stand on the wire: pika would not write most of these."""

import struct
from collections.abc import Callable
from random import Random

import pika

# In the order of their flags, from bit 15 downwards.
FIELDS = (
    *("content_type", "content_encoding", "headers", "delivery_mode", "priority"),
    *("correlation_id", "reply_to", "expiration", "message_id", "timestamp", "type", "user_id"),
    *("app_id", "cluster_id"),
)
NUMBERS = {"delivery_mode": 1, "priority": 1, "timestamp": 8}  # and their sizes
STRINGS = [name for name in FIELDS if name != "headers" and name not in NUMBERS]


class Raw(pika.BasicProperties):
    """Properties whose bytes are given."""

    def __init__(self, encoded: bytes) -> None:
        super().__init__()
        self.encoded = encoded

    def encode(self) -> list[bytes]:
        return [self.encoded]


def encode(values: dict[str, bytes]) -> bytes:
    """Write properties, the strings without and the tables with their length."""
    flags = sum(1 << (15 - FIELDS.index(name)) for name in values)
    parts = [
        short(values[name]) if name in STRINGS else values[name]
        for name in FIELDS
        if name in values
    ]
    return struct.pack(">H", flags) + b"".join(parts)


def short(text: bytes) -> bytes:
    return bytes([len(text)]) + text


def table(inner: bytes) -> bytes:
    """Write a table, a list or a long string: a length and a value of this length."""
    return struct.pack(">I", len(inner)) + inner


def entry(key: bytes, kind: bytes, value: bytes) -> bytes:
    return short(key) + kind + value


def nested(depth: int) -> bytes:
    """Write tables in tables."""
    written = [b""]
    size = 0
    for _ in range(depth):
        written.append(b"\1tF" + struct.pack(">I", size))
        size += 7
    return struct.pack(">I", size) + b"".join(reversed(written))


KEYS = [
    *(b"a", b"", b"\0", b"\xff", b"x" * 255, b"x-death", b"x-first-death-reason", b"x-retry"),
    *(b"x-first-death-queue", b"x-first-death-exchange", b"x-match", b"x-delay", b"x-opt-a"),
    *(b"x-delivery-count", b"failures", b"x-stream-offset", b"x-message-ttl"),
]
WORDS = [b"", b"a", b"\0", b"\xff\xfe", b"rejected", b"queue.model.dead", b"1", b"x" * 3000]
SECONDS = 1_760_000_000
# Seconds, or what somebody took for them.
TIMES = (0, SECONDS, SECONDS * 10**3, SECONDS * 10**9, 2**63, 2**64 - 1, 253402300800)

# Every type that RabbitMQ lets through, with a writer of its values.
VALUES: dict[bytes, Callable[[Random, int], bytes]] = {
    **dict.fromkeys((b"S", b"x"), lambda rng, _: table(rng.choice(WORDS))),
    **dict.fromkeys((b"I", b"i"), lambda rng, _: rng.randbytes(4)),
    **dict.fromkeys((b"b", b"B", b"t"), lambda rng, _: rng.randbytes(1)),
    **dict.fromkeys((b"s", b"u"), lambda rng, _: rng.randbytes(2)),
    b"l": lambda rng, _: rng.randbytes(8),
    b"d": lambda rng, _: struct.pack(">d", rng.choice((0.5, -1e308, 1e-320))),
    b"f": lambda rng, _: struct.pack(">f", rng.choice((0.5, -1e38))),
    b"D": lambda rng, _: bytes([rng.choice((0, 2, 255))]) + rng.randbytes(4),
    b"T": lambda rng, _: struct.pack(">Q", rng.choice(TIMES)),
    b"V": lambda rng, _: b"",
    b"F": lambda rng, depth: headers(rng, depth - 1),
    b"A": lambda rng, depth: table(
        b"".join(value(rng, depth - 1) for _ in range(rng.randrange(3)))
    ),
}
FLAT = [kind for kind in VALUES if kind not in (b"F", b"A")]


def value(rng: Random, depth: int) -> bytes:
    """Return a value of any type, in front of it the type."""
    kind = rng.choice(list(VALUES) if depth else FLAT)
    return kind + VALUES[kind](rng, depth)


def headers(rng: Random, depth: int = 3) -> bytes:
    """Return a table that RabbitMQ lets through.

    An x-death that is a list of anything but tables ends the queue itself in RabbitMQ 3.10, as soon
    as the message is rejected or expires. Nothing of ours can keep it from that.
    """
    entries = []
    for _ in range(rng.randrange(4)):
        key, written = rng.choice(KEYS), value(rng, depth)
        if key != b"x-death" or written[:1] != b"A":
            entries.append(short(key) + written)
    return table(b"".join(entries))
