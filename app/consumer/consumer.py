"""The consumer: `python app/consumer/consumer.py --num_threads 2`."""

import logging
import os
import secrets
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import NoReturn

if not __package__:  # run as a file: find `app` where `python -m` would
    sys.path[0] = str(Path(__file__).resolve().parents[2])

import click

from app.amqp.connection import connection_parameters
from app.backoff import RetryUntilAvailable
from app.consumer.async_consumer import AsyncConsumer
from app.consumer.handlers import AsyncHandler, Handler
from app.consumer.handlers.job_prediction import JobPrediction
from app.consumer.handlers.predict import PredictHandler
from app.consumer.handlers.predict_async import AsyncPredictHandler
from app.consumer.handlers.predict_remote import RemotePredictHandler
from app.consumer.handlers.train import TrainHandler
from app.consumer.health_file import touch_health_file
from app.consumer.threaded_consumer import ThreadedConsumer
from app.inference.cache import ModelCache
from app.inference.loader import ModelLoader
from app.inference.sklearn_runtime import CHILD_MODULE as SKLEARN_CHILD
from app.jobs.attempt import JobAttempts
from app.jobs.lease import LeaseKeeper
from app.jobs.quotas import quotas_of
from app.jobs.relay import OutboxRelay
from app.jobs.store import open_store
from app.models.registry import CachedModelRegistry
from app.observability import logs
from app.protocol.types import LATEST
from app.remote.client import RemoteModelClient
from app.runtime import collect_garbage_rarely, raise_open_file_limit
from app.settings import Settings
from app.storage.client import LOW_LATENCY_CONFIG, S3Client
from app.storage.datasets import DatasetStore
from app.storage.model_files import ModelStore
from app.training.fit_process import FitLimits, FitRunner, run_child

log = logging.getLogger("app.consumer")

GIVE_UP_SECONDS = 5.0  # for all threads to requeue their messages after the time to drain


@click.command()
@click.option(
    "--num_threads", "--num-threads", default=1, show_default=True, type=click.IntRange(1, 64),
    help="How many trainings run at a time, and how many threads predict.",
)  # fmt: skip
@click.option(
    "--invoke", default=1000, show_default=True, type=click.IntRange(0, 10_000),
    help="How many calls of remote models run at a time. Their thread also runs prediction jobs. "
    "0 turns off both.",
)  # fmt: skip
def main(num_threads: int, invoke: int) -> None:
    """Train and predict until SIGTERM; then finish the work in flight and exit with status 0.

    Exits with status 1 when one of its threads dies, so that a supervisor restarts it.
    """
    run(Settings(), num_threads, invoke)


def run(
    settings: Settings,
    num_threads: int,
    invoke: int,
    *,
    child: Callable[..., None] = run_child,
    model_store: type[ModelStore] = ModelStore,
) -> NoReturn:
    """Run the consumer that `main` documents.

    `child` is what `FitRunner` runs, `model_store` stores the models that are fitted.
    """
    logs.configure(settings.log_level)
    raise_open_file_limit()
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())

    # The random part is needed because containers may share a host name and a process id.
    host = f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(2)}"
    connection = f"warren consumer {host}"  # what the management UI shows
    store = open_store(settings)
    registry = CachedModelRegistry(store)
    files = ModelStore(S3Client(settings, LOW_LATENCY_CONFIG), settings.s3_model_path_name)
    load = ModelLoader(registry.get, files, settings.max_pixels)
    cache = ModelCache(load, settings.model_cache)
    drained = threading.Event()
    retry = RetryUntilAvailable(drained)
    leases = LeaseKeeper(store)
    trainer = FitRunner([*imported_modules(), SKLEARN_CHILD], child=child)
    limits = FitLimits(settings.fit_seconds, settings.fit_memory)
    endpoints = RemoteModelClient(settings)

    # Every queue has a handler. Each of these has a threaded consumer, which the key names:
    latest = partial(registry.resolve, LATEST)
    predict = PredictHandler(cache.get, latest, settings.predict_prefetch)
    handlers: dict[str, Handler] = {f"predict-{number}": predict for number in range(num_threads)}
    s3 = S3Client(settings)
    datasets = DatasetStore(s3, settings.s3_path_name)
    models = model_store(s3, settings.s3_model_path_name)
    # A training that came over AMQP has waited in the broker; its row is claimed at once.
    quotas = replace(quotas_of(settings), all_queued=None)
    for name in (f"train-{number}" for number in range(num_threads)):
        attempts = JobAttempts(store, f"{host}:{name}", retry)
        handlers[name] = TrainHandler(
            *(store, attempts, leases, datasets, models, trainer, limits, retry),
            default_seconds=settings.fit_default_seconds,
            quotas=quotas,
        )
    # These share an async consumer:
    prediction = JobPrediction(store, registry.get, cache, endpoints, retry, num_threads)
    async_handlers: list[AsyncHandler] = [
        RemotePredictHandler(registry, endpoints, invoke),
        AsyncPredictHandler(JobAttempts(store, f"{host}:answer", retry), leases, prediction),
    ]

    consumers: list[ThreadedConsumer | AsyncConsumer] = [
        ThreadedConsumer(name, connection_parameters(settings, f"{connection} {name}"), handler)
        for name, handler in handlers.items()
    ]
    if invoke:
        consumers.append(AsyncConsumer(settings, f"{connection} invoke", endpoints, async_handlers))
    relay = OutboxRelay(
        connection_parameters(settings, f"{connection} relay"), store, consumer=host
    )
    threads = [*consumers, relay]
    trainer.warm()
    collect_garbage_rarely()
    for each in (leases, *threads):
        each.start()
    log.info("%d train and %d predict threads", num_threads, num_threads)
    while not stopping.wait(0.5):
        if dead := [each.name for each in (leases, *threads) if not each.healthy]:
            log.critical("%s died", ", ".join(dead))
            os._exit(1)
        touch_health_file(settings.health_file, (each.last_served for each in consumers))

    log.info("draining, for %.0f s at most", settings.drain_seconds)
    for consumer in consumers:
        consumer.stop()
    _join(consumers, settings.drain_seconds)
    relay.stop()  # which shows until now that the consumer is alive
    drained.set()
    trainer.stop()
    for consumer in consumers:
        if isinstance(consumer, AsyncConsumer):
            consumer.give_up()
    _join(threads, GIVE_UP_SECONDS)
    log.info("drained")
    _end()


def imported_modules() -> list[str]:
    """List the imported modules, because the child process of a fit imports them again."""
    return [click.__name__, *(name for name in sys.modules if name.startswith("app."))]


def _end() -> NoReturn:
    """End the process now, because a thread that runs a model might go on for minutes.

    The children of multiprocessing end by themselves when their pipes are closed.
    """
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


def _join(threads: Sequence[threading.Thread], seconds: float) -> None:
    """Wait for threads to end, for `seconds` in all."""
    deadline = time.monotonic() + seconds
    for each in threads:
        each.join(max(0.0, deadline - time.monotonic()))


if __name__ == "__main__":
    main()
