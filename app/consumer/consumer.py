"""The consumer: `python app/consumer/consumer.py --num_threads 2`."""

import gc
import logging
import os
import secrets
import signal
import socket
import sys
import threading
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

if not __package__:  # run as a file: find `app` where `python -m` would
    sys.path[0] = str(Path(__file__).resolve().parents[2])
if __name__ == "__main__":
    gc.disable()  # until `collect_garbage_rarely`: imports leave no garbage, and searches take long

import click

from app.amqp.connection import connection_parameters
from app.auth.grants import Grants
from app.backoff import RetryUntilAvailable
from app.children.machine_memory import machine_memory
from app.children.memory_sum import warn_of_memory
from app.consumer.async_consumer import AsyncConsumer
from app.consumer.batch_handlers import batch_handlers
from app.consumer.batch_work import BatchWork
from app.consumer.gauges import describe_worker, held_deliveries, read_gauges
from app.consumer.handlers import AsyncHandler, Handler
from app.consumer.handlers.admitted import AdmittedHandler
from app.consumer.handlers.job_prediction import JobPrediction
from app.consumer.handlers.predict import PredictHandler
from app.consumer.handlers.predict_async import AsyncPredictHandler
from app.consumer.handlers.predict_remote import RemotePredictHandler
from app.consumer.handlers.train import TrainHandler
from app.consumer.health_file import all_served, touch_health_file
from app.consumer.heartbeat import Heartbeat
from app.consumer.memory_shares import memory_shares
from app.consumer.metrics_server import start_metrics_server
from app.consumer.process_end import end_process, join_all
from app.consumer.senders import senders_of
from app.consumer.threaded_consumer import ThreadedConsumer
from app.consumer.work_folders import delete_abandoned_folders
from app.database.existing import end_without_database
from app.datasets.versions import DatasetVersions
from app.inference.cache import ModelCache
from app.inference.loader import ModelLoader
from app.inference.memory_budget import MemoryBudget, default_total
from app.inference.part_process import CHILD_MODULE as PART_CHILD
from app.inference.sklearn_runtime import CHILD_MODULE as SKLEARN_CHILD
from app.jobs.attempt import JobAttempts
from app.jobs.lease import LeaseKeeper
from app.jobs.log_writer import JobLogWriter
from app.jobs.quotas import quotas_of
from app.jobs.relay import OutboxRelay
from app.jobs.store import open_store
from app.models.deletion_watch import DeletionWatch
from app.models.references import ModelReferences
from app.models.registry import CachedModelRegistry
from app.observability import logs
from app.observability.job_lines import keep_job_lines
from app.observability.span_export import export_spans
from app.remote.client import RemoteModelClient
from app.runtime import collect_garbage_rarely, raise_open_file_limit
from app.settings import Settings
from app.settings.refused import ends_for_wrong_settings
from app.storage.batch_files import BatchFiles
from app.storage.client import LOW_LATENCY_CONFIG, S3Client
from app.storage.model_files import ModelStore
from app.training.fit_process import FitLimits, FitRunner, run_child

log = logging.getLogger("app.consumer")

GIVE_UP_SECONDS = 5.0  # for all threads to requeue their messages after the time to drain


@click.command()
@click.option(
    "--num_threads", "--num-threads", default=1, show_default=True, type=click.IntRange(1, 64),
    help="How many trainings run at a time, how many parts of batch jobs are scored at a time, and "
    "how many threads predict.",
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
    with ends_for_wrong_settings():
        settings = Settings().acting_as("consumer")
    end_without_database(settings)
    run(settings, num_threads, invoke)


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
    logs.configure(settings.log_level, settings.log_format)
    keep_job_lines()
    export_spans(
        settings.otel_exporter_otlp_endpoint, settings.otel_traces_sampler_arg, "warren-consumer"
    )
    raise_open_file_limit()
    senders = senders_of(settings)
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())

    # The random part is needed because containers may share a host name and a process id.
    host = f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(2)}"
    connection = f"warren consumer {host}"  # what the management UI shows
    store = open_store(settings)
    registry, references = CachedModelRegistry(store), ModelReferences(store.engine)
    files = ModelStore(S3Client(settings, LOW_LATENCY_CONFIG), settings.s3_model_path_name)
    total = settings.model_memory or default_total(machine_memory())
    warn_of_memory("consumer", memory_shares(settings, num_threads, total))
    budget = MemoryBudget(total, settings.model_cache, num_threads)
    load = ModelLoader(registry.get, files, settings.max_pixels, budget=budget)
    cache = ModelCache(load, settings.model_cache)
    drained = threading.Event()
    retry = RetryUntilAvailable(drained)
    leases, log_writer = LeaseKeeper(store), JobLogWriter(store.engine)
    watch = DeletionWatch(store.engine, (registry.forget, cache.forget))
    trainer = FitRunner([*imported_modules(), SKLEARN_CHILD, PART_CHILD], child=child)
    limits = FitLimits(settings.fit_seconds, settings.fit_memory)
    endpoints = RemoteModelClient(settings)

    # Every queue has a handler. Each of these has a threaded consumer, which the key names:
    named: dict[str, Any] = {"grants": Grants(store.engine), "references": references}
    predicting = PredictHandler(cache.get, registry.resolve, settings.predict_prefetch, **named)
    predict = AdmittedHandler(predicting, senders)
    handlers: dict[str, Handler] = {f"predict-{number}": predict for number in range(num_threads)}
    s3 = S3Client(settings)
    datasets = DatasetVersions.of(store.engine, s3, settings.s3_path_name)
    models = model_store(s3, settings.s3_model_path_name)
    # A training that came over AMQP has waited in the broker; its row is claimed at once.
    quotas = replace(quotas_of(settings), all_queued=None)
    for name in (f"train-{number}" for number in range(num_threads)):
        attempts = JobAttempts(store, f"{host}:{name}", retry, log_writer=log_writer)
        train = TrainHandler(
            *(store, attempts, leases, datasets, models, trainer, limits, retry),
            default_seconds=settings.fit_default_seconds,
            quotas=quotas,
            grants=named["grants"],
        )
        handlers[name] = AdmittedHandler(train, senders)
    handlers |= batch_handlers(
        settings,
        host,
        num_threads,
        find=registry.get,
        work=BatchWork(
            *(store, registry.get, models, datasets),
            files=BatchFiles(s3, settings.s3_batch_path_name),
            retry=retry,
            max_rows=settings.max_batch_rows,
        ),
        leases=leases,
        log_writer=log_writer,
        model_files=files,
        budget=budget,
    )
    # These share an async consumer:
    prediction = JobPrediction(store, registry.get, cache, endpoints, retry, num_threads)
    async_handlers: list[AsyncHandler] = [
        RemotePredictHandler(registry, endpoints, invoke, **named),
        AsyncPredictHandler(JobAttempts(store, f"{host}:answer", retry), leases, prediction),
    ]

    consumers: list[ThreadedConsumer | AsyncConsumer] = [
        ThreadedConsumer(name, connection_parameters(settings, f"{connection} {name}"), handler)
        for name, handler in handlers.items()
    ]
    if invoke:
        invoker = f"{connection} invoke"
        consumers.append(
            AsyncConsumer(settings, invoker, endpoints, async_handlers, admit=senders.admit)
        )
    relay = OutboxRelay(
        connection_parameters(settings, f"{connection} relay"), store, consumer=host
    )
    threads = [*consumers, relay]
    held = partial(held_deliveries, consumers)
    heartbeat = Heartbeat(store.engine, partial(describe_worker, host, num_threads, leases, held))
    served = [each.last_served for each in consumers]
    is_served = partial(all_served, served)
    gauges = read_gauges(num_threads, cache, leases, heartbeat, held, is_served)
    trainer.warm()
    delete_abandoned_folders()
    collect_garbage_rarely()
    for each in (watch, leases, heartbeat, log_writer, *threads):
        each.start()
    start_metrics_server(settings, store.engine, gauges, is_served)
    log.info("%d threads of each kind", num_threads)
    while not stopping.wait(0.5):
        if dead := [each.name for each in (leases, *threads) if not each.healthy]:
            log.critical("%s died", ", ".join(dead))
            os._exit(1)
        touch_health_file(settings.health_file, served)

    log.info("draining, for %.0f s at most", settings.drain_seconds)
    for consumer in consumers:
        consumer.stop()
    join_all(consumers, settings.drain_seconds)
    relay.stop()  # which shows until now that the consumer is alive
    heartbeat.stop()
    drained.set()
    trainer.stop()
    for consumer in consumers:
        if isinstance(consumer, AsyncConsumer):
            consumer.give_up()
    log_writer.stop()  # when the attempts have ended
    join_all([*threads, heartbeat, log_writer], GIVE_UP_SECONDS)
    log.info("drained")
    end_process()


def imported_modules() -> list[str]:
    """List the imported modules, because the child process of a fit imports them again."""
    return [click.__name__, *(name for name in sys.modules if name.startswith("app."))]


if __name__ == "__main__":
    main()
