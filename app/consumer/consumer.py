"""The consumer: `python app/consumer/consumer.py --num_threads 2`."""

import logging
import os
import secrets
import signal
import socket
import sys
import threading
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import NoReturn

if not __package__:  # run as a file: find `app` where `python -m` would
    sys.path[0] = str(Path(__file__).resolve().parents[2])

import click

from app import broker, jobs, log, process, queues, registry
from app.cache import ModelCache
from app.consumer import models
from app.consumer.answer import Answer
from app.consumer.endpoints import Endpoints
from app.consumer.invoke import Invoke
from app.consumer.invoker import Handler, Invoker
from app.consumer.patience import Patience
from app.consumer.predict import Predict, quick
from app.consumer.specs import Specs
from app.consumer.train import Train
from app.consumer.trainer import Limits, Trainer
from app.consumer.worker import Worker
from app.relay import Relay
from app.settings import Settings
from app.storage import IMPATIENT, Storage

logger = logging.getLogger("app.consumer")

ANSWERS = 100  # predict jobs in hand at a time
HAND_BACK_SECONDS = 5.0  # for all threads together, when the time to drain is over


@click.command()
@click.option(
    "--num_threads", "--num-threads", default=1, show_default=True, type=click.IntRange(1, 64),
    help="Trainings at a time, and as many threads that predict.",
)  # fmt: skip
@click.option(
    "--invoke", default=1000, show_default=True, type=click.IntRange(0, 10_000),
    help="Calls of remote models at a time, in one more thread, that also takes jobs that predict; "
    "0: neither.",
)  # fmt: skip
def main(num_threads: int, invoke: int) -> None:
    """Train and predict until SIGTERM: then finish what is in hand and exit with status 0.

    Exits with status 1 when one of its threads dies; whoever started it starts it again.
    """
    settings = Settings()
    log.configure(settings.log_level)
    process.allow_many_files()
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())

    store = jobs.opened(settings)
    storage = Storage(settings)
    trainer = Trainer()
    limits = Limits(settings.fit_seconds, settings.fit_memory)
    drained = threading.Event()
    shelf = Storage(settings, IMPATIENT)
    find = partial(registry.find, store)
    load = partial(models.load, find=find, storage=shelf, max_pixels=settings.max_pixels)
    cache = ModelCache(load, settings.model_cache)
    predict = Predict(cache.get, models.latest(find))
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
    name = f"warren consumer {host} invoke"
    endpoints = Endpoints(settings)
    answer = Answer(store, f"{host}:answer", find, cache, endpoints, Patience(drained), num_threads)
    handlers: dict[str, tuple[int, Handler]] = {
        queues.INVOKE: (invoke, Invoke(Specs(find), endpoints)),
        queues.PREDICT_ASYNC: (ANSWERS, answer),
    }
    invokers = [Invoker(settings, name, endpoints, handlers)] if invoke else []
    threads: list[Worker | Relay | Invoker] = [*workers, relay, *invokers]
    trainer.warm()
    process.collect_seldom()
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
    _join([*workers, *invokers], settings.drain_seconds)
    drained.set()
    trainer.stop()
    for invoker in invokers:
        invoker.give_up()
    _join(threads, HAND_BACK_SECONDS)
    logger.info("drained")
    _end()


def _end() -> NoReturn:
    """End the process now: a model that computes in a thread would be waited for, for minutes.

    What multiprocessing started ends by itself, as the pipes to it are closed.
    """
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


def _join(threads: Sequence[threading.Thread], seconds: float) -> None:
    """Wait for the end of threads, for so many seconds in all."""
    deadline = time.monotonic() + seconds
    for each in threads:
        each.join(max(0.0, deadline - time.monotonic()))


if __name__ == "__main__":
    main()
