"""A client of the queues, as anybody could write one."""

import json
import uuid
from typing import Any
from urllib.parse import quote

import pika

from tests.system.support.processes import until

DIRECT = "amq.rabbitmq.reply-to"


def address_of_broker(environment: dict[str, str]) -> str:
    """Return the URL by which clients connect to a stack's broker."""
    login = f"{environment['RABBITMQ_USER']}:{environment['RABBITMQ_PASSWORD']}"
    host = f"{environment['RABBITMQ_HOST']}:{environment['RABBITMQ_PORT']}"
    return f"amqp://{login}@{host}/{quote(environment['RABBITMQ_VHOST'], safe='')}"


class RpcClient:
    """The client of RabbitMQ's RPC tutorial, sixth part, but that it counts the replies."""

    def __init__(self, connection: pika.BlockingConnection, callback_queue: str = "") -> None:
        self.connection = connection
        self.channel = connection.channel()
        self.callback_queue = callback_queue
        if callback_queue != DIRECT:
            result = self.channel.queue_declare(queue=callback_queue, exclusive=True)
            self.callback_queue = result.method.queue
        self.channel.basic_consume(
            queue=self.callback_queue, on_message_callback=self.on_response, auto_ack=True
        )
        self.responses: list[dict[str, Any]] = []
        self.corr_id = ""

    def on_response(self, ch: Any, method: Any, props: pika.BasicProperties, body: bytes) -> None:
        if self.corr_id == props.correlation_id:
            self.responses.append(json.loads(body))

    def call(self, queue: str, body: Any, count: int = 1, **properties: Any) -> list[Any]:
        """Ask, and return so many replies."""
        self.ask(queue, body, **properties)
        return self.replies(count)

    def ask(self, queue: str, body: Any, exchange: str = "", **properties: Any) -> None:
        self.responses = []
        self.corr_id = str(uuid.uuid4())
        self.channel.basic_publish(
            exchange=exchange,
            routing_key=queue,
            properties=pika.BasicProperties(
                reply_to=self.callback_queue, correlation_id=self.corr_id, **properties
            ),
            body=body if isinstance(body, bytes) else json.dumps(body),
        )

    def replies(self, count: int) -> list[Any]:
        """Wait for so many replies to what was asked last."""

        def answered() -> bool:
            self.connection.process_data_events(time_limit=0.1)
            return len(self.responses) >= count

        until(answered, f"{count} replies")
        return self.responses

    def end(self) -> Any:
        """Wait for the reply that ends a training; a lost connection may take the one before."""

        def ended() -> bool:
            self.connection.process_data_events(time_limit=0.1)
            return bool(self.responses) and self.responses[-1]["status"] != "TASK_RECEIVED"

        until(ended, "the end of the training")
        return self.responses[-1]
