"""The consumer: `python app/consumer/consumer.py --num_threads 2`."""

import gc
import logging
import os
import secrets
import signal
import socket
import sys
import threading
import time
from pathlib import Path

if not __package__:  # run as a file: find `app` where `python -m` would
    sys.path[0] = str(Path(__file__).resolve().parents[2])

import click

from app import broker, jobs, log, queues
from app.consumer import models
from app.consumer.patience import Patience
from app.consumer.predict import Predict, quick
from app.consumer.train import Train
from app.consumer.trainer import Limits, Trainer
from app.consumer.worker import Worker
from app.relay import Relay
from app.serving import ModelCache
from app.settings import Settings
from app.storage import IMPATIENT, Storage

logger = logging.getLogger("app.consumer")

HAND_BACK_SECONDS = 5.0  # for all threads together, when the time to drain is over


@click.command()
@click.option(
    "--num_threads", "--num-threads", default=1, show_default=True, type=click.IntRange(1, 64),
    help="Trainings at a time, and as many threads that predict.",
)  # fmt: skip
def main(num_threads: int) -> None:
    """Train and predict until SIGTERM: then finish what is in hand and exit with status 0.

    Exits with status 1 when one of its threads dies; whoever started it starts it again.
    """
    settings = Settings()
    log.configure(settings.log_level)
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())

    store = jobs.opened(settings)
    storage = Storage(settings)
    trainer = Trainer()
    limits = Limits(settings.fit_seconds, settings.fit_memory)
    drained = threading.Event()
    shelf = Storage(settings, IMPATIENT)
    cache = ModelCache(lambda model_id: models.load(model_id, store, shelf), settings.model_cache)
    predict = Predict(cache.get, models.latest(store))
    # Containers that share a host's name share its process ids, too.
    host = f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(2)}"

    def worker(kind: str, number: int) -> Worker:
        name = f"{kind}-{number}"
        parameters = broker.parameters(settings, f"warren consumer {host} {name}")
        if kind == "predict":
            return Worker(
                name, parameters, queues.PREDICT, settings.predict_prefetch, predict, quick
            )
        train = Train(store, storage, trainer, limits, f"{host}:{name}", Patience(drained))
        return Worker(name, parameters, queues.TRAIN, 1, train)

    workers = [worker(kind, n) for kind in ("predict", "train") for n in range(num_threads)]
    relay = Relay(broker.parameters(settings, f"warren consumer {host} relay"), store)
    threads: list[Worker | Relay] = [*workers, relay]
    trainer.warm()
    gc.freeze()  # to look at all that was imported takes a collection 50 ms, and stops the rest
    for each in threads:
        each.start()
    logger.info("%d train and %d predict threads", num_threads, num_threads)
    while not stopping.wait(0.5):
        if dead := [each.name for each in threads if not each.healthy]:
            logger.critical("%s died", ", ".join(dead))
            os._exit(1)

    logger.info("draining, for %.0f s at most", settings.drain_seconds)
    for each in threads:
        each.stop()
    deadline = time.monotonic() + settings.drain_seconds
    for each in workers:
        each.join(max(0.0, deadline - time.monotonic()))
    drained.set()
    trainer.stop()
    deadline = time.monotonic() + HAND_BACK_SECONDS
    for each in threads:
        each.join(max(0.0, deadline - time.monotonic()))
    logger.info("drained")


if __name__ == "__main__":
    main()
