"""Celery's side that works: `celery -A celery_worker worker`.

Concurrency is Celery's default, a prefork pool of one process a core.
"""

import os

from celery import Celery
from celery.signals import worker_process_init
from forest import Row, loaded

app = Celery("peer", broker=os.environ["AMQP_URL"], backend="rpc://")


@worker_process_init.connect
def load(**_: object) -> None:
    """Load the model once in each process of the pool."""
    global model
    model = loaded()


@app.task
def predict(row: Row) -> float:
    """Predict one row."""
    (prediction,) = model([row])
    return prediction
