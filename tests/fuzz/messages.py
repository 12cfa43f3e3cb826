"""AMQP messages: bodies and properties of every kind, for the queues of work and for no queue."""

import bz2
import codecs
import gzip
import json
import lzma
import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from random import Random

from app.amqp.topology import (
    DEAD_LETTER_QUEUE,
    INVOKE_QUEUE,
    PREDICT_ASYNC_QUEUE,
    PREDICT_QUEUE,
    TRAIN_QUEUE,
)
from app.protocol.types import NDJSON_MEDIA_TYPE
from tests.fuzz import bodies, params, properties, serving
from tests.fuzz.properties import entry, table

CALLBACK = "(the callback queue of the producer)"
DIRECT = b"amq.rabbitmq.reply-to"


@dataclass(frozen=True)
class Letter:
    """A message; the broker may close the channel on whoever publishes one that is `refused`."""

    queue: str
    properties: bytes
    body: bytes
    refused: bool = False

    @property
    def kind(self) -> str:
        return self.queue.rpartition(".")[2] if self.queue != CALLBACK else "callback"


REPLY_TO = [
    *(
        b"",
        b"a",
        b"gone",
        TRAIN_QUEUE.encode(),
        PREDICT_QUEUE.encode(),
        DEAD_LETTER_QUEUE.encode(),
        b"amq.gen-aaaa",
    ),
    *(
        DIRECT + b".garbage",
        DIRECT + b".",
        DIRECT + b".g2dkABByZXBseQ.\xff",
        DIRECT + b"." + b"A" * 200,
    ),
    *(
        DIRECT + b".g1h2Dnj/AAAA.QUJD==",
        b"\xff\xfe",
        b"\0",
        b"a" * 255,
        "\u00fc".encode(),
        b"\xed\xa0\x80",
    ),
    *(
        b"queue.model.retry.1",
        b"amq.direct",
        b"#",
        b"*",
        b"\xf0\x9f\x98\x80" * 60,
        CALLBACK.encode(),
    ),
]
IDS = [b"", b"a", b"\0", b"\xff", b"a" * 255, b"\xc3\xbc", b"{}", b"\r\n", b"0" * 100]


def make(rng: Random) -> Letter:
    """Return a message."""
    queues = (TRAIN_QUEUE, PREDICT_QUEUE, INVOKE_QUEUE, PREDICT_ASYNC_QUEUE, CALLBACK, "absent")
    queue = rng.choices(queues, (32, 37, 9, 7, 12, 3))[0]
    if queue == PREDICT_QUEUE and rng.random() < 0.15:
        return lines(rng)
    body = content(rng, queue)
    kind = rng.random()
    if kind < 0.1:
        return encoded(rng, queue, body)
    if kind < 0.35:
        named = {"message_id": serving.job(rng).encode()} if queue == PREDICT_ASYNC_QUEUE else {}
        return Letter(queue, properties.encode(named), body)
    if kind < 0.9:
        return Letter(queue, properties.encode(some(rng)), body)
    if kind < 0.97:
        return Letter(queue, unreadable(rng), body)
    return Letter(queue, refused(rng), body, refused=True)


def content(rng: Random, queue: str) -> bytes:
    """Return a body, as a client of that queue might send it."""
    if queue == TRAIN_QUEUE:
        if rng.random() < 0.03:
            return json.dumps(params.request(rng)).encode()
        return bodies.training(rng, 0.02)
    if queue == PREDICT_ASYNC_QUEUE:
        return serving.doorbell(rng)
    if queue == INVOKE_QUEUE or rng.random() < 0.2:
        return serving.one(rng)
    if queue == CALLBACK and rng.random() < 0.5:
        status = rng.choice(("TASK_COMPLETED", "TASK_ERROR"))
        return bodies.body(rng, {"status": status, "model_id": "a", "error": {}}, 0.2)
    return bodies.prediction(rng)


def lines(rng: Random) -> Letter:
    """Return a message of many predictions, or of nothing but line breaks."""
    count = rng.choice((1, 2, 5, 64))
    body = b"\n".join(bodies.prediction(rng, 0.5) for _ in range(count))
    if rng.random() < 0.05:
        body = b"\n" * rng.choice((1, 100, 3_000_000))
    return Letter(
        PREDICT_QUEUE,
        properties.encode({**some(rng), "content_type": NDJSON_MEDIA_TYPE.encode()}),
        body,
    )


# A coding by its name in content_encoding, or in the header of kombu.
CODINGS: dict[bytes, Callable[[bytes], bytes]] = {
    b"gzip": partial(gzip.compress, compresslevel=1, mtime=0),
    b"deflate": partial(zlib.compress, level=1),
    b"application/x-gzip": partial(zlib.compress, level=1),
    b"application/x-bz2": partial(bz2.compress, compresslevel=1),
    b"application/x-lzma": partial(lzma.compress, preset=0),
}
CHARSETS = (b"utf-8", b"UTF-8", b"binary", b"identity", b"utf-16", b"latin-1", b"br", b"\xff")
BOMB = bytes(20_000_000)


def encoded(rng: Random, queue: str, body: bytes) -> Letter:
    """Return a message that says how it is encoded, and mostly is; some are bombs, or cut off."""
    if rng.random() < 0.2:
        body = codecs.BOM_UTF8 + body
    if rng.random() < 0.01:
        body = BOMB
    values, names = some(rng), [rng.choice(list(CODINGS)) for _ in range(rng.randrange(3))]
    for name in names:
        body = CODINGS[name](body)
    compression = b""
    if names and rng.random() < 0.5:
        compression = names.pop()
    values["content_encoding"] = b", ".join([rng.choice(CHARSETS)] * (rng.random() < 0.7) + names)
    if compression:
        values["headers"] = table(entry(b"compression", b"S", table(compression)))
    if rng.random() < 0.1:
        body = body[: rng.randrange(len(body) + 1)]
    if queue == PREDICT_QUEUE and rng.random() < 0.3:
        values["content_type"] = rng.choice((b"application/jsonl", b"application/x-ndjson; a=b"))
    return Letter(queue, properties.encode(values), body)


def some(rng: Random) -> dict[str, bytes]:
    """Return odd properties that the broker lets through."""
    values: dict[str, bytes] = {}
    if rng.random() < 0.6:
        values["reply_to"] = rng.choice(REPLY_TO)
    if rng.random() < 0.5:
        values["headers"] = properties.headers(rng)
    for name in ("correlation_id", "message_id", "type", "app_id", "content_type", "cluster_id"):
        if rng.random() < 0.3:
            values[name] = rng.choice(IDS)
    for name in ("delivery_mode", "priority"):
        if rng.random() < 0.3:
            values[name] = rng.choice((b"\0", b"\1", b"\2", b"\xff"))
    if rng.random() < 0.3:
        values["timestamp"] = struct.pack(">Q", rng.choice(properties.TIMES))
    if rng.random() < 0.1:
        values["expiration"] = rng.choice((b"0", b"1", b"60000"))
    if rng.random() < 0.2:
        values["content_encoding"] = rng.choice((b"gzip", b"utf-16", *IDS))
    return values


MILLISECONDS = entry(b"at", b"T", struct.pack(">Q", 1_760_000_000_000))


def unreadable(rng: Random) -> bytes:
    """Return properties whose headers pika alone cannot read, or which are as large as a frame."""
    headers = rng.choice(
        (
            lambda: table(MILLISECONDS),
            lambda: table(entry(b"a", b"F", table(MILLISECONDS))),
            lambda: table(entry(b"a", b"A", table(MILLISECONDS[3:]))),
            lambda: properties.nested(rng.choice((100, 400, 3000, 10_000))),
            lambda: table(entry(b"a", b"S", table(b"x" * 120_000))),
            lambda: table(b"".join(entry(b"%d" % n, b"V", b"") for n in range(10_000))),
            lambda: table(entry(b"a", b"A", table(b"V" * 100_000))),
            lambda: table(entry(b"a", b"D", b"\xff\x7f\xff\xff\xff")),
        )
    )()
    return properties.encode({**some(rng), "headers": headers})


def refused(rng: Random) -> bytes:
    """Return properties for which the broker may close the channel, or the connection."""
    values = some(rng)
    match rng.randrange(6):
        case 0:
            values["expiration"] = rng.choice((b"", b"x", b"-1", b"1.5", b"9" * 30, b"\xff"))
        case 1:
            values["user_id"] = rng.choice((b"guest", b"", b"\xff"))
        case 2:
            values["reply_to"] = DIRECT
        case 3:
            forged = rng.choice((b"CC", b"BCC", b"x-death", b"x-delay", b"x-retry"))
            values["headers"] = table(entry(forged, b"S", table(b"absent")))
        case 4:
            inner = table(b"S" + table(rng.choice((b"absent", PREDICT_QUEUE.encode()))))
            values["headers"] = table(entry(rng.choice((b"CC", b"BCC")), b"A", inner))
        case _:
            values["headers"] = table(rng.randbytes(rng.randrange(1, 40)))
    return properties.encode(values)
