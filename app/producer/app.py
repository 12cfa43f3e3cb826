"""The producer's application."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

from anyio import CapacityLimiter
from fastapi import FastAPI
from fastapi.telemetry import TelemetryConfig
from fastapi_offline import FastAPIOffline

from app.amqp.connection import connection_parameters
from app.auth.grants import Grants
from app.auth.key_ring import KeyRing
from app.concurrency import run_in_thread
from app.database.engine import create_engine
from app.database.existing import only_existing
from app.datasets.descriptions import Descriptions
from app.datasets.versions import DatasetVersions
from app.jobs.quotas import quotas_of
from app.jobs.relay import OutboxRelay
from app.jobs.store import JobStore, open_store
from app.models.deletion_watch import DeletionWatch
from app.models.references import ModelReferences
from app.models.registry import CachedModelRegistry
from app.producer.admission import AdmissionControl
from app.producer.answers import problems
from app.producer.answers.event_stream import EventStreams
from app.producer.answers.oip_errors import protocol_error
from app.producer.callers.access import Access
from app.producer.disk_reserve import DiskReserve
from app.producer.jobs.job_views import show_job
from app.producer.jobs.job_watch import JobWatch
from app.producer.middleware.stack import middlewares
from app.producer.model_features import ModelFeatures
from app.producer.routers import FREQUENT, PAGES, ROUTES
from app.producer.routes import docs
from app.producer.routing.api_document import complete_document
from app.producer.routing.fallback import Fallback
from app.producer.routing.raw_route import refuse_dependencies
from app.producer.routing.route_scopes import refuse_undeclared
from app.producer.rpc.client import RpcClient
from app.producer.rpc.router import PredictionRouter
from app.producer.services import Services
from app.producer.shadow_calls import ShadowCalls
from app.producer.shadow_tally import ShadowTally
from app.producer.sweeps import sweeper_of
from app.producer.ui.kept_pages import KeptPages
from app.producer.ui.overview import Look
from app.producer.ui.problem_pages import problem_page
from app.producer.ui.refresh_pace import RefreshPace
from app.producer.ui.rendering import compile_templates
from app.settings import Settings
from app.settings.checks import names
from app.storage.batch_files import BatchFiles
from app.storage.client import S3Client
from app.storage.model_files import ModelStore

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
# The pages /docs and /redoc show them in this order, in which the examples run one after another.
_TAGS = (
    *("jobs", "predictions", "inference protocol", "catalogue", "names"),
    *("keys", "audit", "health"),
)
_DESCRIPTION = (
    "Machine-learning jobs over RabbitMQ. Open POST /train, *Try it out*, *Execute*; then "
    "POST /predict. With the example data, all examples below run as they are, from top to bottom. "
    "Only PUT /models needs more: a file that fits its `manifest`, or for an endpoint its host in "
    "the setting `INVOKE_HOSTS`."
)


def create_app(settings: Settings) -> FastAPI:
    """Return the application. It connects at start-up and closes its connections at shutdown.

    `state.keys` is its key ring, or None if everybody may do everything.
    """
    ring = None
    if settings.authenticates:
        ring = KeyRing(create_engine(settings.database_address))
        only_existing(ring.engine, settings)
    tokens = None
    if ring and settings.oidc_issuer:
        from app.auth.openid import OpenIdTokens  # of the extra `oidc`

        tokens = OpenIdTokens.of(settings)
    doors = [each for each in (ring, tokens.keys if tokens else None) if each]
    in_flight = AdmissionControl(
        settings.max_in_flight, settings.max_in_flight_bytes, settings.max_body
    )

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        rpc = RpcClient(connection_parameters(settings, "warren producer"))
        jobs, s3 = open_store(settings), S3Client(settings)
        versions = DatasetVersions.of(jobs.engine, s3, settings.s3_path_name)
        predictions = PredictionRouter(rpc, settings.predict_timeout)
        models, files = CachedModelRegistry(jobs), ModelStore(s3, settings.s3_model_path_name)
        features = ModelFeatures(models, files).of
        services = Services(
            settings=settings,
            rpc=rpc,
            predictions=predictions,
            in_flight=in_flight,
            shadows=ShadowCalls(predictions, in_flight, ShadowTally(jobs.engine), features),
            jobs=jobs,
            models=models,
            s3=s3,
            datasets=versions,
            descriptions=Descriptions(versions),
            model_files=files,
            batch_files=BatchFiles(s3, settings.s3_batch_path_name),
            streams=_streams(settings, ring),
            watch=JobWatch(jobs, partial(show_job, jobs)),
            access=Access(Grants(jobs.engine), ModelReferences(jobs.engine)),
            quotas=quotas_of(settings),
            disks=DiskReserve(_reserved_folders(settings, jobs), settings.disk_reserve),
            uploads=CapacityLimiter(_UPLOADS),
            keys=ring,
        )
        app.state.services = services
        relay = OutboxRelay(connection_parameters(settings, "warren producer relay"), services.jobs)
        sweeper = sweeper_of(settings, services)
        watch = DeletionWatch(jobs.engine, (services.models.forget,))
        services.rpc.start()
        relay.start()
        sweeper.start()
        watch.start()
        for door in doors:
            await run_in_thread(door.begin)
        await run_in_thread(compile_templates)
        yield
        relay.stop()
        sweeper.stop()
        watch.stop()
        for door in doors:
            door.stop()
            await run_in_thread(door.join, _RELAY_SECONDS)
        if ring:
            ring.engine.dispose()
        await services.shadows.stop()
        await services.rpc.stop()
        await run_in_thread(relay.join, _RELAY_SECONDS)
        await run_in_thread(sweeper.join, _RELAY_SECONDS)
        await run_in_thread(watch.join, _RELAY_SECONDS)
        services.descriptions.close()
        services.jobs.close()

    app = FastAPIOffline(
        title="Warren",
        description=_DESCRIPTION,
        openapi_tags=[{"name": name} for name in _TAGS],
        lifespan=lifespan,
        redirect_slashes=False,  # `Fallback` serves these paths
        docs_url=None,  # `docs` has the pages
        redoc_url=None,
        static_url=_STATIC_URL,
        telemetry=_NO_TELEMETRY,
        middleware=middlewares(settings, in_flight, ring, tokens.identify if tokens else None),
    )
    app.state.keys = ring
    docs.install(app, _STATIC_URL)
    app.state.refresh_pace, app.state.look = RefreshPace(), Look()
    app.state.kept_pages = KeptPages()
    # They are not included, because that takes longer than all other matching.
    app.router.routes[:0] = [route for each in FREQUENT for route in each.router.routes]
    for each in (*ROUTES, *PAGES):
        app.include_router(each.router)
    app.router.routes.append(Fallback(app.router))
    refuse_dependencies(app)
    refuse_undeclared(app)
    problems.install(app, problem_page, protocol_error)
    complete_document(app)
    return app


def _reserved_folders(settings: Settings, jobs: JobStore) -> list[Path]:
    """Return the folders whose disks keep the reserve."""
    named = [Path(each) for each in names(settings.reserved_folders)]
    return [jobs.folder, *named] if jobs.folder else named


def _streams(settings: Settings, ring: KeyRing | None) -> EventStreams:
    bounds = (settings.max_event_streams, settings.caller_max_event_streams)
    return EventStreams(*bounds, ring.is_valid) if ring else EventStreams(*bounds)
