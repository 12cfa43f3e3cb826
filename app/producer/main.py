"""The producer: `python -m app.producer.main`."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import uvicorn
from anyio import CapacityLimiter
from fastapi import FastAPI
from fastapi_offline import FastAPIOffline

from app import broker, log
from app.jobs import JobStore
from app.producer import docs, limits, problems, routes
from app.producer.rpc import RpcClient
from app.producer.services import Services
from app.settings import Settings
from app.storage import Storage

_STATIC_URL = "/static"
_UPLOADS = 8  # at a time; each holds a thread while its client sends

_DESCRIPTION = (
    "Machine-learning jobs over RabbitMQ. Open POST /train, *Try it out*, *Execute*; then "
    "POST /predict: the examples below run as they are."
)


def create_app(settings: Settings) -> FastAPI:
    """Return the application. It connects when it starts and closes what it opened when it ends."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        services = Services(
            settings=settings,
            rpc=RpcClient(broker.parameters(settings, "warren producer")),
            jobs=JobStore(settings.database_url.get_secret_value()),
            storage=Storage(settings),
            uploads=CapacityLimiter(_UPLOADS),
        )
        app.state.services = services
        services.rpc.start()
        yield
        await services.rpc.stop()
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
    app.include_router(routes.router)
    app.add_middleware(
        limits.BodyLimit, limit=settings.max_body, special={"/datasets/": settings.max_dataset}
    )
    problems.install(app)
    return app


def main() -> None:
    """Serve until SIGTERM."""
    settings = Settings()
    log.configure(settings.log_level)
    uvicorn.run(
        create_app(settings),
        host=settings.host,
        port=settings.port,
        loop="uvloop",
        http="httptools",
        log_config=None,
        access_log=False,
        server_header=False,
    )


if __name__ == "__main__":
    main()
