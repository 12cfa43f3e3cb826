"""The producer's application."""

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

from anyio import CapacityLimiter
from fastapi import FastAPI
from fastapi.telemetry import TelemetryConfig
from fastapi_offline import FastAPIOffline

from app.amqp.connection import connection_parameters
from app.concurrency import run_in_thread
from app.jobs.quotas import quotas_of
from app.jobs.relay import OutboxRelay
from app.jobs.retention import Retention, delete_old_jobs
from app.jobs.store import JobStore, open_store
from app.jobs.sweeper import Sweeper
from app.models.folder_use import unneeded_folders
from app.models.registry import CachedModelRegistry
from app.producer.admission import AdmissionControl
from app.producer.disk_reserve import DiskReserve
from app.producer.http import problems
from app.producer.http.event_stream import EventStreams
from app.producer.http.fallback import Fallback
from app.producer.http.raw_route import refuse_dependencies
from app.producer.middleware.stack import middlewares
from app.producer.routes import (
    datasets,
    docs,
    health,
    jobs,
    model_metadata,
    model_registration,
    models,
    predict,
    predict_async,
    predict_parallel,
    sagemaker,
    train,
)
from app.producer.rpc.client import RpcClient
from app.producer.rpc.router import PredictionRouter
from app.producer.services import Services
from app.settings import Settings
from app.storage.client import S3Client
from app.storage.datasets import DatasetStore
from app.storage.model_files import ModelStore
from app.storage.unneeded_files import abort_old_uploads, delete_unneeded_folders

_STATIC_URL = "/static"
_RELAY_SECONDS = 5.0
_UPLOADS = 8  # at a time; each occupies a thread while its client sends
# Otherwise FastAPI records each request and its error for any global OpenTelemetry provider.
_NO_TELEMETRY: TelemetryConfig = {
    "tracing": False,
    "metrics": False,
    "logs": False,
    "operation_spans": False,
    "auto_configure": False,
}
# The router tries them in this order, and most requests are for /predict.
ROUTES = (
    predict,
    train,
    jobs,
    predict_parallel,
    predict_async,
    sagemaker,
    model_metadata,
    model_registration,
    datasets,
    models,
    health,
)
# The pages /docs and /redoc show them in this order, in which the examples run one after another.
_TAGS = ("jobs", "predictions", "catalogue", "health")
_DESCRIPTION = (
    "Machine-learning jobs over RabbitMQ. Open POST /train, *Try it out*, *Execute*; then "
    "POST /predict. With the example data, all examples below run as they are, from top to bottom. "
    "Only PUT /models needs more: a file that fits its `manifest`, or for an endpoint its host in "
    "the setting `INVOKE_HOSTS`."
)


def create_app(settings: Settings) -> FastAPI:
    """Return the application. It connects at start-up and closes its connections at shutdown."""
    in_flight = AdmissionControl(
        settings.max_in_flight, settings.max_in_flight_bytes, settings.max_body
    )

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        rpc = RpcClient(connection_parameters(settings, "warren producer"))
        jobs, s3 = open_store(settings), S3Client(settings)
        services = Services(
            settings=settings,
            rpc=rpc,
            predictions=PredictionRouter(rpc, settings.predict_timeout),
            in_flight=in_flight,
            jobs=jobs,
            models=CachedModelRegistry(jobs),
            s3=s3,
            datasets=DatasetStore(s3, settings.s3_path_name),
            model_files=ModelStore(s3, settings.s3_model_path_name),
            streams=EventStreams(settings.max_event_streams, settings.caller_max_event_streams),
            quotas=quotas_of(settings),
            disks=DiskReserve(_folders(settings, jobs), settings.disk_reserve),
            uploads=CapacityLimiter(_UPLOADS),
        )
        app.state.services = services
        relay = OutboxRelay(connection_parameters(settings, "warren producer relay"), services.jobs)
        sweeper = _sweeper(settings, services)
        services.rpc.start()
        relay.start()
        sweeper.start()
        yield
        relay.stop()
        sweeper.stop()
        await services.rpc.stop()
        await run_in_thread(relay.join, _RELAY_SECONDS)
        await run_in_thread(sweeper.join, _RELAY_SECONDS)
        services.jobs.close()

    app = FastAPIOffline(
        title="Warren",
        description=_DESCRIPTION,
        openapi_tags=[{"name": name} for name in _TAGS],
        lifespan=lifespan,
        redirect_slashes=False,  # `Fallback` serves these paths
        redoc_url=None,
        static_url=_STATIC_URL,
        telemetry=_NO_TELEMETRY,
        middleware=middlewares(settings, in_flight),
    )
    docs.install(app, _STATIC_URL)
    for each in ROUTES:
        app.include_router(each.router)
    app.router.routes.append(Fallback(app.router))
    refuse_dependencies(app)
    problems.install(app)
    return app


def _folders(settings: Settings, jobs: JobStore) -> Iterator[Path]:
    """Yield the folders whose disks keep the reserve."""
    if jobs.folder:
        yield jobs.folder
    for name in filter(None, map(str.strip, settings.reserved_folders.split(","))):
        yield Path(name)


def _sweeper(settings: Settings, services: Services) -> Sweeper:
    """Return the thread that deletes what is not kept."""
    s3, engine, age = services.s3, services.jobs.engine, settings.keep_file_seconds
    models, data = settings.s3_model_path_name, settings.s3_path_name
    keep = Retention(settings.keep_job_days, settings.keep_jobs, settings.keep_job_bytes)
    sweeps: dict[str, Callable[[], int]] = {
        "models without a row": partial(
            delete_unneeded_folders, s3, models, age, partial(unneeded_folders, engine)
        ),
        "unfinished uploads of models": partial(abort_old_uploads, s3, models, age),
        "unfinished uploads of data sets": partial(abort_old_uploads, s3, data, age),
        "old jobs": partial(delete_old_jobs, engine, keep),
    }
    return Sweeper(sweeps, settings.sweep_seconds)
