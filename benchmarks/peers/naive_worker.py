"""The naive pattern's worker: the model comes from S3 for each request. `python naive_worker.py`.

The server of RabbitMQ's RPC tutorial.
"""

import json
import os
import tempfile
from pathlib import Path

import boto3
import pika
from forest import load

# boto3 finds its address and keys in the environment.
s3 = boto3.client("s3")


def on_request(channel, method, properties, body) -> None:
    """Fetch and load the model, predict, reply, ack."""
    key = os.environ["MODEL_KEY"]
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / Path(key).name)
        s3.download_file(os.environ["S3_BUCKET_NAME"], key, path)
        (prediction,) = load(path)([json.loads(body)])
    channel.basic_publish(
        "",
        properties.reply_to,
        json.dumps(prediction).encode(),
        pika.BasicProperties(correlation_id=properties.correlation_id),
    )
    channel.basic_ack(method.delivery_tag)


connection = pika.BlockingConnection(pika.URLParameters(os.environ["AMQP_URL"]))
channel = connection.channel()
channel.queue_declare("predict")
channel.basic_qos(prefetch_count=1)
channel.basic_consume("predict", on_request)
channel.start_consuming()
