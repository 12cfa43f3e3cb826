"""The producer: `python -m app.producer.main`."""

import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import uvicorn
from anyio import CapacityLimiter
from fastapi import FastAPI
from fastapi_offline import FastAPIOffline

from app import broker, jobs, log, process
from app.producer import (
    catalogue,
    docs,
    durable,
    limits,
    metadata,
    patterns,
    predictions,
    problems,
    registering,
    routes,
    sagemaker,
)
from app.producer.dispatch import Predictions
from app.producer.rpc import RpcClient
from app.producer.services import Services, threaded
from app.relay import Relay
from app.settings import Settings
from app.storage import Storage

_STATIC_URL = "/static"
_RELAY_SECONDS = 5.0
_UPLOADS = 8  # at a time; each holds a thread while its client sends
_STALL_SECONDS = 30.0  # who sends nothing for so long holds it no more

_DESCRIPTION = (
    "Machine-learning jobs over RabbitMQ. Open POST /train, *Try it out*, *Execute*; then "
    "POST /predict: the examples below run as they are."
)


def create_app(settings: Settings) -> FastAPI:
    """Return the application. It connects when it starts and closes what it opened when it ends."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        rpc = RpcClient(broker.parameters(settings, "warren producer"))
        services = Services(
            settings=settings,
            rpc=rpc,
            predictions=Predictions(rpc, settings.predict_timeout),
            in_flight=limits.InFlight(settings.max_in_flight, settings.max_in_flight_bytes),
            jobs=jobs.opened(settings),
            storage=Storage(settings),
            uploads=CapacityLimiter(_UPLOADS),
        )
        app.state.services = services
        relay = Relay(broker.parameters(settings, "warren producer relay"), services.jobs)
        services.rpc.start()
        relay.start()
        yield
        relay.stop()
        await services.rpc.stop()
        await threaded(relay.join, _RELAY_SECONDS)
        services.jobs.close()

    app = FastAPIOffline(
        title="Warren",
        description=_DESCRIPTION,
        lifespan=lifespan,
        redirect_slashes=False,
        redoc_url=None,
        static_url=_STATIC_URL,
    )
    docs.install(app, _STATIC_URL)
    parts = (predictions, patterns, durable, sagemaker, metadata, routes, registering, catalogue)
    for part in parts:
        app.include_router(part.router)
    larger = {"/datasets/": settings.max_dataset, "/models/": settings.max_model}
    app.add_middleware(
        limits.BodyLimit, limit=settings.max_body, special=larger, seconds=_STALL_SECONDS
    )
    problems.install(app)
    return app


def main() -> None:
    """Serve until SIGTERM."""
    # uvicorn, once it has shut down, sends itself again the signal that it was sent.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    settings = Settings()
    log.configure(settings.log_level)
    process.allow_many_files()
    app = create_app(settings)
    process.collect_seldom()
    uvicorn.run(
        app,
        host=settings.host,
        port=settings.port,
        loop="uvloop",
        http="httptools",
        log_config=None,
        access_log=False,
        proxy_headers=False,  # nobody asks for a client's address
        server_header=False,
    )


if __name__ == "__main__":
    main()
