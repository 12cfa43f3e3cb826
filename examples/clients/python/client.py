"""Train a model and ask it over AMQP, with pika: python client.py AMQP_URL DATASET_ID."""

import json
import sys
import time
import uuid
from typing import Any

import pika

TRAIN_SECONDS, PREDICT_SECONDS = 600, 10


class WarrenError(Exception):
    """A reply says that a request failed: `type` is for programs, the message for people."""

    def __init__(self, error: dict[str, Any]) -> None:
        """Take the `error` of a reply."""
        super().__init__(error["detail"])
        self.type = error["type"]


class Client:
    """Sends requests, and finds the replies to each by its correlation id."""

    def __init__(self, url: str) -> None:
        """Connect, and declare a queue for replies, which is gone with the connection."""
        self.connection = pika.BlockingConnection(pika.URLParameters(url))
        self.channel = self.connection.channel()
        self.channel.confirm_delivery()  # publishing raises if no queue takes the message
        self.reply_to = self.channel.queue_declare("", exclusive=True).method.queue
        self.channel.basic_consume(self.reply_to, self._take, auto_ack=True)
        self.replies: dict[str, list[dict[str, Any]]] = {}

    def train(self, body: dict[str, Any], message_id: str) -> dict[str, Any]:
        """Return the last reply to a training.

        If the connection is lost, connect again and call this with the same `message_id`: it is
        still the same job, and its end is told again.
        """
        properties = pika.BasicProperties(message_id=message_id, delivery_mode=2)
        asked = self._send("queue.model.train", body, properties)
        return self._wait(asked, TRAIN_SECONDS, before="TASK_RECEIVED")

    def predict(self, *bodies: dict[str, Any]) -> list[dict[str, Any]]:
        """Return the replies to predictions that are all under way at the same time."""
        expiration = str(PREDICT_SECONDS * 1000)  # nobody answers when nobody waits any more
        asked = [
            self._send("queue.model.predict", body, pika.BasicProperties(expiration=expiration))
            for body in bodies
        ]
        return [self._wait(each, PREDICT_SECONDS) for each in asked]

    def _send(self, queue: str, body: dict[str, Any], properties: pika.BasicProperties) -> str:
        properties.correlation_id = str(uuid.uuid4())
        properties.reply_to = self.reply_to
        self.replies[properties.correlation_id] = []
        self.channel.basic_publish("", queue, json.dumps(body).encode(), properties, mandatory=True)
        return properties.correlation_id

    def _take(self, _: Any, __: Any, properties: pika.BasicProperties, body: bytes) -> None:
        if (known := self.replies.get(str(properties.correlation_id))) is not None:
            known.append(json.loads(body))  # of others, nobody waits any more

    def _wait(self, asked: str, seconds: float, before: str = "") -> dict[str, Any]:
        """Return the first reply whose status is not `before`; raise `WarrenError` for an error."""
        deadline = time.monotonic() + seconds
        try:
            while (left := deadline - time.monotonic()) > 0:
                for reply in self.replies[asked]:
                    if reply["status"] == "TASK_COMPLETED":
                        return reply
                    if reply["status"] != before:
                        raise WarrenError(reply.get("error") or {"type": "", "detail": "cancelled"})
                self.connection.process_data_events(left)  # answers heartbeats, too
            raise TimeoutError(f"no reply within {seconds} s")
        finally:
            del self.replies[asked]


def main(url: str, dataset_id: str) -> None:
    """Train, ask for two predictions at a time, and see what a wrong row is answered."""
    client = Client(url)
    training = {"dataset_id": dataset_id, "features": ["bmi", "bp"], "target": "target"}
    model_id = client.train(training, message_id=str(uuid.uuid4()))["model_id"]
    print("trained", model_id)
    rows = {"bmi": 0.06, "bp": 0.02}, {"bmi": -0.04, "bp": -0.02}
    for reply in client.predict(*({"model_id": model_id, "input_data": row} for row in rows)):
        print("predicted", reply["prediction"])
    try:
        client.predict({"model_id": model_id, "input_data": {"bmi": "high", "bp": 0.02}})
    except WarrenError as error:
        print(f"refused {error.type}: {error}")
    client.connection.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
