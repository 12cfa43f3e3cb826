"""The AsyncAPI document: the queues of clients, made of the topology and the classes of messages.

https://www.asyncapi.com/docs/reference/specification/v3.1.0 is the specification.
"""

from functools import cache
from typing import Any

from app.observability.version import VERSION
from app.producer.asyncapi.channels import channels, operations
from app.producer.asyncapi.messages import REPLIES, REQUESTS
from app.producer.asyncapi.schemas import schemas
from app.protocol import strict_json
from app.protocol.types import JSON_MEDIA_TYPE
from app.settings.broker import BrokerSettings

_DESCRIPTION = (
    "Machine-learning jobs over RabbitMQ, for AMQP 0-9-1 clients in any language. Clients send the "
    "messages of the operations that Warren receives, and get replies in the queue that "
    "`reply_to` names, with their own `correlation_id`. The objects `headers` hold properties of "
    "AMQP and headers alike."
)


@cache
def document() -> dict[str, Any]:
    """Return the document. Nobody may change it."""
    messages = (*(each for request in REQUESTS.values() for each in request.messages), *REPLIES)
    return {
        "asyncapi": "3.1.0",
        "info": {"title": "Warren", "version": VERSION, "description": _DESCRIPTION},
        "defaultContentType": JSON_MEDIA_TYPE,
        "servers": {
            "plain": _server("amqp", "5672"),
            "encrypted": _server("amqps", "5671"),
        },
        "channels": channels(),
        "operations": operations(),
        "components": {
            "messages": {each.name: each.described() for each in messages},
            "schemas": schemas(),
            "securitySchemes": {
                "user": {
                    "type": "userPassword",
                    "description": "A user of the broker, for whose owner messages act.",
                }
            },
        },
    }


@cache
def encoded() -> bytes:
    """Return the document as JSON."""
    return strict_json.dumps(document())


def _server(protocol: str, port: str) -> dict[str, Any]:
    host = str(BrokerSettings.model_fields["rabbitmq_host"].default)
    return {
        "host": "{host}:{port}",
        "protocol": protocol,
        "protocolVersion": "0-9-1",
        "pathname": "/{vhost}",
        "variables": {
            "host": {"default": host, "description": "The host of RabbitMQ."},
            "port": {"default": port, "description": "The port of RabbitMQ."},
            "vhost": {
                "default": "%2F",
                "description": "The virtual host, percent-encoded; `%2F` is the one named `/`.",
            },
        },
        "security": [{"$ref": "#/components/securitySchemes/user"}],
    }
