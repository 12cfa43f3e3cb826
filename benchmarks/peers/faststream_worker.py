"""FastStream's side that works: `faststream run faststream_worker:app`."""

import os

from faststream import FastStream
from faststream.rabbit import RabbitBroker
from forest import loaded

broker = RabbitBroker(os.environ["AMQP_URL"], logger=None)  # else two lines a message
app = FastStream(broker)
model = loaded()


@broker.subscriber("predict")
async def predict(row: dict[str, float]) -> float:
    """Predict one row; FastStream sends the returned value to the message's `reply_to`."""
    (prediction,) = model([row])
    return prediction
