"""Faulty messages: copies, and bodies that are no request."""

import json
from collections.abc import Callable
from functools import partial
from random import Random
from typing import Any

from pika.exceptions import AMQPError

from tests.chaos.load import publish
from tests.chaos.processes import Detail
from tests.chaos.servers import INVOKE, PREDICT, PREDICT_ASYNC, TRAIN
from tests.chaos.world import World

COPIES = 5


def messages_duplicated(world: World, chance: Random, seconds: float) -> Detail:
    """Publish the messages of some jobs again, be they waiting, running or done."""
    with world.database.connect() as connection:
        rows = connection.execute(
            "SELECT id, kind, request FROM jobs WHERE kind IN ('train', 'predict')"
            " ORDER BY created_at DESC LIMIT 40"
        ).fetchall()
    some = chance.sample(rows, min(8, len(rows)))
    sent = [_sent(partial(_again, world, row)) for row in some]
    return {"jobs": len(some), "messages": len(some) * COPIES, "sent": all(sent)}


def _again(world: World, row: dict[str, Any]) -> None:
    if row["kind"] == "train":
        queue, body = TRAIN, {**row["request"], "model_id": row["id"]}
    else:
        queue, body = PREDICT_ASYNC, {"job_id": row["id"]}
    publish(world.login(), queue, *[json.dumps(body).encode()] * COPIES, message_id=row["id"])


def messages_malformed(world: World, chance: Random, seconds: float) -> Detail:
    bodies = [*NO_REQUESTS, chance.randbytes(chance.randint(1, 5000))]
    queues = (TRAIN, PREDICT, PREDICT_ASYNC, INVOKE)
    for queue in queues:
        _sent(partial(publish, world.login(), queue, *bodies))
        _sent(partial(publish, world.login(), queue, b"{}", **STRANGE))
        lines = b"\n".join(NO_REQUESTS)
        _sent(partial(publish, world.login(), queue, lines, content_type="application/x-ndjson"))
        _sent(partial(publish, world.login(), queue, b"[]", reply_to=queue, correlation_id="1"))
    return {"messages": len(queues) * (len(bodies) + 3)}


def _sent(send: Callable[[], None]) -> bool:
    """Tell whether the broker took it: the queue may be gone when no consumer is there."""
    try:
        send()
    except AMQPError:
        return False
    return True


NO_REQUESTS = [
    b"",
    b"\x00",
    b"null",
    b"[1, 2, 3]",
    b'"job"',
    b'{"model_id": ',
    b'{"model_id": "../../etc/passwd", "dataset_id": "..", "features": [], "target": ""}',
    b'{"model_id": "a", "dataset_id": 1, "features": "x", "target": null}',
    b'{"model_id": "\\ud800", "input_data": {"age": 1e999}}',
    b'{"input_data": {"age": NaN}, "model_id": "latest"}',
    b"[" * 100_000,
    b'{"a": ' * 5000 + b"1" + b"}" * 5000,
    b"9" * 100_000,
    b"\xff\xfe" * 1000,
]

STRANGE: dict[str, Any] = {
    "headers": {"x-long": "x" * 60_000, "x-death": "not a list", "x-delivery-count": -1},
    "expiration": "60000",
    "type": "t" * 200,
    "content_type": "application/x-python-pickle",
    "content_encoding": "gzip",
    "correlation_id": "c" * 255,
    "reply_to": "no.such.queue",
}
