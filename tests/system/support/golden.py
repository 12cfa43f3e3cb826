"""Messages of the broker in a form that a test can write down."""

import json
import re
from dataclasses import dataclass
from time import time
from typing import Any

import pika
from pika.adapters.blocking_connection import BlockingChannel

from tests.system.support.amqp import RpcClient
from tests.system.support.processes import until

PROPERTIES = (
    "content_type",
    "content_encoding",
    "headers",
    "delivery_mode",
    "priority",
    "correlation_id",
    "reply_to",
    "expiration",
    "message_id",
    "timestamp",
    "type",
    "user_id",
    "app_id",
    "cluster_id",
)
SHAPES = {"<id>": r"[0-9a-f]{32}", "<callback queue>": r"amq\.gen-[\w-]{22}"}
A_DAY = 86_400


@dataclass(frozen=True)
class Message:
    """A message as it was delivered."""

    sent: pika.BasicProperties
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def lines(self) -> list[Any]:
        return [json.loads(line) for line in self.body.split(b"\n")]

    @property
    def headers(self) -> dict[str, Any]:
        """Return the headers, but for the one that a quorum queue adds."""
        sent = self.sent.headers or {}
        return {name: value for name, value in sent.items() if name != "x-delivery-count"}

    def properties(self, **known: str) -> dict[str, Any]:
        """Return the properties that are set, with names for ids: those `known`, or their shape."""
        names = {value: f"<{name}>" for name, value in known.items()}
        found = {name: getattr(self.sent, name) for name in PROPERTIES}
        found["headers"] = self.headers or None
        return {
            name: names.get(value) or shape(value) if isinstance(value, str) else moment(value)
            for name, value in found.items()
            if value is not None
        }


def shape(value: str) -> str:
    """Return the name of an id's shape, or else the value."""
    return next((name for name, like in SHAPES.items() if re.fullmatch(like, value)), value)


def moment(value: Any) -> Any:
    """Return `<now>` for a time of today in seconds, or else the value."""
    return "<now>" if isinstance(value, int) and abs(value - time()) < A_DAY else value


def taken(channel: BlockingChannel, queue: str) -> Message:
    """Wait for a message of a queue and take it away."""

    def get() -> Message | None:
        method, properties, body = channel.basic_get(queue, auto_ack=True)
        return Message(properties, body) if method else None

    message = until(get, f"a message is in {queue}")
    assert message
    return message


class Caller(RpcClient):
    """A client whose replies come with their properties."""

    def on_response(self, ch: Any, method: Any, props: pika.BasicProperties, body: bytes) -> None:
        if self.corr_id == props.correlation_id:
            self.responses.append(Message(props, body))
