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

from app.amqp.connection import connection_parameters
from app.amqp.topology import INVOKE_QUEUE, PREDICT_ASYNC_QUEUE, PREDICT_QUEUE, TRAIN_QUEUE
from app.consumer.async_consumer import AsyncConsumer, AsyncHandler
from app.consumer.handlers.async_prediction import AsyncPrediction
from app.consumer.handlers.predict import PredictHandler, is_fast
from app.consumer.handlers.predict_async import AsyncPredictHandler
from app.consumer.handlers.predict_remote import RemotePredictHandler
from app.consumer.handlers.train import TrainHandler
from app.consumer.threaded_consumer import ThreadedConsumer
from app.inference.cache import ModelCache
from app.inference.loader import load_model
from app.jobs.attempt import JobAttempts
from app.jobs.lease import LeaseKeeper
from app.jobs.relay import OutboxRelay
from app.jobs.store import open_store
from app.models.endpoint_cache import EndpointCache
from app.models.latest import latest_resolver
from app.models.registry import find_model
from app.observability import logs
from app.remote.client import RemoteModelClient
from app.retry import RetryUntilAvailable
from app.runtime import collect_garbage_rarely, raise_open_file_limit
from app.settings import Settings
from app.storage.client import LOW_LATENCY_CONFIG, Storage
from app.training.fit_process import FitLimits, FitRunner

logger = logging.getLogger("app.consumer")

ASYNC_PREDICT_PREFETCH = 100  # predict jobs in hand at a time
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
    logs.configure(settings.log_level)
    raise_open_file_limit()
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())

    store = open_store(settings)
    storage = Storage(settings)
    trainer = FitRunner(imported_modules())
    limits = FitLimits(settings.fit_seconds, settings.fit_memory)
    drained = threading.Event()
    retry = RetryUntilAvailable(drained)
    leases = LeaseKeeper(store)
    shelf = Storage(settings, LOW_LATENCY_CONFIG)
    find = partial(find_model, store)
    load = partial(load_model, find=find, storage=shelf, max_pixels=settings.max_pixels)
    cache = ModelCache(load, settings.model_cache)
    predict = PredictHandler(cache.get, latest_resolver(find))
    # Containers that share a host's name share its process ids, too.
    host = f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(2)}"

    def worker(kind: str, number: int) -> ThreadedConsumer:
        name = f"{kind}-{number}"
        parameters = connection_parameters(settings, f"warren consumer {host} {name}")
        if kind == "predict":
            return ThreadedConsumer(
                name, parameters, PREDICT_QUEUE, settings.predict_prefetch, predict, is_fast
            )
        attempts = JobAttempts(store, f"{host}:{name}", retry)
        train = TrainHandler(store, attempts, leases, storage, trainer, limits, retry)
        return ThreadedConsumer(name, parameters, TRAIN_QUEUE, 1, train)

    workers = [worker(kind, n) for kind in ("predict", "train") for n in range(num_threads)]
    relay = OutboxRelay(connection_parameters(settings, f"warren consumer {host} relay"), store)
    name = f"warren consumer {host} invoke"
    endpoints = RemoteModelClient(settings)
    prediction = AsyncPrediction(store, find, cache, endpoints, retry, num_threads)
    answer = AsyncPredictHandler(JobAttempts(store, f"{host}:answer", retry), leases, prediction)
    handlers: dict[str, tuple[int, AsyncHandler]] = {
        INVOKE_QUEUE: (invoke, RemotePredictHandler(EndpointCache(find), endpoints)),
        PREDICT_ASYNC_QUEUE: (ASYNC_PREDICT_PREFETCH, answer),
    }
    invokers = [AsyncConsumer(settings, name, endpoints, handlers)] if invoke else []
    threads: list[ThreadedConsumer | OutboxRelay | AsyncConsumer] = [*workers, relay, *invokers]
    trainer.warm()
    collect_garbage_rarely()
    for each in (leases, *threads):
        each.start()
    logger.info("%d train and %d predict threads", num_threads, num_threads)
    while not stopping.wait(0.5):
        if dead := [each.name for each in (leases, *threads) if not each.healthy]:
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


def imported_modules() -> list[str]:
    """List the modules that this one has imported: a child of a fit imports them again."""
    return [click.__name__, *(name for name in sys.modules if name.startswith("app."))]


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
