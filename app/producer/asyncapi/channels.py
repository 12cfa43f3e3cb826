"""Channels and operations: queues, the exchange of clients, and both ways in which replies come."""

from collections.abc import Iterable
from typing import Any

from app.amqp.reply_to import DIRECT_REPLY_PREFIX
from app.amqp.topology import EXCHANGE_TYPES, PUBLIC_QUEUES, REQUEST_EXCHANGE
from app.producer.asyncapi.messages import BINDING, REPLIES, REQUESTS, Message, Request

EXCLUSIVE, DIRECT = "exclusiveReplies", "directReplies"
_THROUGH_EXCHANGE = "ThroughExchange"
WAYS = {
    EXCLUSIVE: (
        "An exclusive queue of the client, which the broker names: declare a queue with an empty "
        "name, and put the name that comes back into `reply_to`. It is gone with the connection; "
        "declare another one after a reconnect.",
        {"exclusive": True, "durable": False},
    ),
    DIRECT: (
        f"Direct reply-to of RabbitMQ: consume `{DIRECT_REPLY_PREFIX}` without acks, then publish "
        "on the same channel with this `reply_to`. Nothing is declared. The reply is lost if the "
        "channel closes before it comes, so a long training is better answered into a queue.",
        {"name": DIRECT_REPLY_PREFIX},
    ),
}


def channels() -> dict[str, Any]:
    """Return the Channel Objects by name.

    Raises `KeyError` if a queue of clients has no description.
    """
    found: dict[str, Any] = {}
    for queue in PUBLIC_QUEUES:
        request = REQUESTS[queue]
        found[request.name] = _queue(queue, request)
        found[request.name + _THROUGH_EXCHANGE] = _routing_key(queue, request)
    for name, (description, options) in WAYS.items():
        found[name] = {
            "address": None,
            "title": "Replies",
            "description": description,
            "messages": _listed(REPLIES),
            "bindings": {"amqp": {"is": "queue", "queue": options} | BINDING},
        }
    return found


def operations() -> dict[str, Any]:
    """Return the Operation Objects by name; Warren receives requests and replies to them."""
    found: dict[str, Any] = {}
    for queue in PUBLIC_QUEUES:
        request = REQUESTS[queue]
        name = request.name
        found[name] = _operation(request, name, EXCLUSIVE, "")
        found[f"{name}Directly"] = _operation(request, name, DIRECT, " Replies by direct reply-to.")
        found[name + _THROUGH_EXCHANGE] = _operation(
            request, name + _THROUGH_EXCHANGE, EXCLUSIVE, f" Through `{REQUEST_EXCHANGE}`."
        )
    return found


def _queue(queue: str, request: Request) -> dict[str, Any]:
    options = {"name": queue, "durable": True, "exclusive": False, "autoDelete": False}
    return {
        "address": queue,
        "title": request.title,
        "description": "Publish to the default exchange, whose name is empty, with the queue's "
        "name as routing key.",
        "messages": _listed(request.messages),
        "bindings": {"amqp": {"is": "queue", "queue": options} | BINDING},
    }


def _routing_key(queue: str, request: Request) -> dict[str, Any]:
    exchange = {
        "name": REQUEST_EXCHANGE,
        "type": EXCHANGE_TYPES[REQUEST_EXCHANGE],
        "durable": True,
        "autoDelete": False,
    }
    return {
        "address": queue,
        "title": f"{request.title} of a client with least privilege",
        "description": f"Publish to `{REQUEST_EXCHANGE}` with the queue's name as routing key, and "
        "with `user_id`. Users who may do nothing else send requests here.",
        "messages": _listed(request.messages),
        "bindings": {"amqp": {"is": "routingKey", "exchange": exchange} | BINDING},
    }


def _operation(request: Request, channel: str, way: str, more: str) -> dict[str, Any]:
    return {
        "action": "receive",
        "channel": {"$ref": f"#/channels/{channel}"},
        "title": request.title,
        "summary": request.summary + more,
        "messages": _of_channel(channel, request.messages),
        "bindings": {"amqp": request.bindings},
        "reply": {
            "address": {"location": "$message.header#/replyTo"},
            "channel": {"$ref": f"#/channels/{way}"},
            "messages": _of_channel(way, request.replies),
        },
    }


def _listed(messages: Iterable[Message]) -> dict[str, Any]:
    return {each.name: {"$ref": f"#/components/messages/{each.name}"} for each in messages}


def _of_channel(channel: str, messages: Iterable[Message]) -> list[dict[str, str]]:
    return [{"$ref": f"#/channels/{channel}/messages/{each.name}"} for each in messages]
