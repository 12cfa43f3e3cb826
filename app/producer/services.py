"""What the routes work with, made by `main` and found through the request."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, ParamSpec, TypeVar

from anyio import CapacityLimiter
from fastapi import Depends, Request
from starlette.concurrency import run_in_threadpool

from app.jobs import JobStore
from app.producer.rpc import RpcClient
from app.settings import Settings
from app.storage import Storage

P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True)
class Services:
    """The parts a producer has one of each."""

    settings: Settings
    rpc: RpcClient
    jobs: JobStore
    storage: Storage
    uploads: CapacityLimiter  # slow clients must not hold all threads


async def of(request: Request) -> Services:
    """Return the services of the application that serves `request`."""
    services: Services = request.app.state.services
    return services


Needed = Annotated[Services, Depends(of)]


async def threaded(call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run what blocks (S3, the database) in a thread, off the event loop."""
    return await run_in_threadpool(call, *args, **kwargs)
