"""The naive pattern: a connection and a reply queue for each request. `uvicorn naive_web:app`.

The client of RabbitMQ's RPC tutorial, made anew in every call of a handler.
"""

import json
import os
import uuid
from time import monotonic

import pika
from fastapi import FastAPI, HTTPException
from request import Request

SECONDS = 10

app = FastAPI()


@app.post("/predict")
def answer(request: Request) -> dict[str, float]:
    """Connect, ask, wait for the reply, disconnect."""
    connection = pika.BlockingConnection(pika.URLParameters(os.environ["AMQP_URL"]))
    try:
        return {"prediction": call(connection, request.input_data)}
    finally:
        connection.close()


def call(connection: pika.BlockingConnection, row: dict[str, float]) -> float:
    """Publish one request and pump the connection until its reply is here."""
    channel = connection.channel()
    queue = channel.queue_declare("", exclusive=True).method.queue
    correlation_id = str(uuid.uuid4())
    replies = []

    def on_reply(channel, method, properties, body) -> None:
        if properties.correlation_id == correlation_id:
            replies.append(json.loads(body))

    channel.basic_consume(queue, on_reply, auto_ack=True)
    channel.basic_publish(
        "",
        "predict",
        json.dumps(row).encode(),
        pika.BasicProperties(reply_to=queue, correlation_id=correlation_id),
    )
    deadline = monotonic() + SECONDS
    while not replies:
        if monotonic() > deadline:
            raise HTTPException(504)
        connection.process_data_events(time_limit=1)
    return replies[0]
