"""A consumer that stands in for all others: what becomes of a model stands in its id."""

import json
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

import pika

from app import errors
from app.amqp.topology import INVOKE_QUEUE, PREDICT_QUEUE, declare_topology
from app.protocol.replies import Failed, Predicted, Reply
from tests.system.support.processes import Stack

SECONDS = 20.0  # the deadline of every remote model


class Consumer(threading.Thread):
    """Answers on a thread of its own, many at a time.

    `here` answers by `queue.model.predict`, all others by `queue.model.invoke`: `think-N` after N
    seconds, `dead` with an error, `silent` never. None thinks before `together` of them are asked.
    `asked` holds queues and bodies as they came.
    """

    def __init__(self, stack: Stack) -> None:
        super().__init__(name="remote", daemon=True)
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self.expirations: list[str] = []
        self.together = 1
        self._begun: list[tuple[float, Callable[[], None]]] = []
        self._connection = stack.amqp()
        self._channel = self._connection.channel()
        declare_topology(self._channel)
        for queue in (PREDICT_QUEUE, INVOKE_QUEUE):
            self._channel.basic_consume(queue, self._on_message, auto_ack=True)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self._connection.add_callback_threadsafe(self._channel.stop_consuming)
        self.join()
        self._connection.close()

    def run(self) -> None:
        self._channel.start_consuming()

    def models(self, queue: str) -> list[str]:
        """Return which models were asked by a queue."""
        return [body["model_id"] for name, body in self.asked if name == queue]

    def _on_message(
        self, _: Any, method: Any, properties: pika.BasicProperties, body: bytes
    ) -> None:
        queue, request = method.routing_key, json.loads(body)
        self.asked.append((queue, request))
        self.expirations.append(str(properties.expiration))
        model_id, _, seconds = request["model_id"].partition("-")
        if queue == PREDICT_QUEUE and model_id != "here":
            elsewhere = errors.WrongQueue(None, "elsewhere", queue=INVOKE_QUEUE, seconds=SECONDS)
            self._reply(properties, Failed.of(elsewhere))
        elif model_id == "dead":
            self._reply(properties, Failed.of(errors.EndpointUnavailable("it is dead")))
        elif model_id != "silent":
            number = {"prediction": float(seconds or 0), "pred_proba": float(seconds or 0)}
            reply = Predicted(request["model_id"], **number)
            self._begun.append((float(seconds or 0), lambda: self._reply(properties, reply)))
            if len(self._begun) >= self.together:
                for each in self._begun:
                    self._connection.call_later(*each)
                self._begun.clear()

    def _reply(self, properties: pika.BasicProperties, reply: Reply) -> None:
        answer = pika.BasicProperties(correlation_id=properties.correlation_id)
        self._channel.basic_publish("", str(properties.reply_to), reply.encode(), answer)
