"""How to reach RabbitMQ: the connection parameters that producer and consumer share."""

import random
from collections.abc import Iterator

import pika

from app.settings import Settings

BLOCKED_TIMEOUT_SECONDS = 30  # pika's default waits for ever while the broker is out of memory


def parameters(settings: Settings, name: str) -> pika.ConnectionParameters:
    """Return connection parameters; `name` is what the management UI shows for the connection."""
    return pika.ConnectionParameters(
        host=settings.rabbitmq_host,
        port=settings.rabbitmq_port,
        virtual_host=settings.rabbitmq_vhost,
        credentials=pika.PlainCredentials(
            settings.rabbitmq_user, settings.rabbitmq_password.get_secret_value()
        ),
        heartbeat=settings.rabbitmq_heartbeat,
        blocked_connection_timeout=BLOCKED_TIMEOUT_SECONDS,
        socket_timeout=5,
        stack_timeout=10,
        client_properties={"connection_name": name},
    )


def backoff() -> Iterator[float]:
    """Yield the seconds to wait before each new connection: doubling from 0.1 to 5, with jitter.

    The jitter takes up to half of a delay away, so that a fleet does not return in step.
    """
    delay = 0.1
    while True:
        yield delay * random.uniform(0.5, 1.0)  # noqa: S311
        delay = min(delay * 2, 5.0)
