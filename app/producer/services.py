"""What the routes work with, made by `main` and found through the request."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Annotated, ParamSpec, TypeVar

import anyio.to_thread
from anyio import CapacityLimiter
from fastapi import Depends, Request

from app import errors
from app.jobs import JobStore
from app.producer.dispatch import Predictions
from app.producer.limits import InFlight
from app.producer.rpc import RpcClient
from app.settings import Settings
from app.storage import Storage

PATIENCE_SECONDS = 15.0
_INSPECTIONS = 2

P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True)
class Services:
    """The parts a producer has one of each."""

    settings: Settings
    rpc: RpcClient
    predictions: Predictions
    in_flight: InFlight
    jobs: JobStore
    storage: Storage
    uploads: CapacityLimiter  # slow clients must not hold all threads
    # Each may take some gigabytes for a while.
    inspections: CapacityLimiter = field(default_factory=lambda: CapacityLimiter(_INSPECTIONS))


async def of(request: Request) -> Services:
    """Return the services of the application that serves `request`."""
    services: Services = request.app.state.services
    return services


Needed = Annotated[Services, Depends(of)]


async def threaded(call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run what blocks (S3, the database) in a thread, off the event loop.

    Raises `errors.Unavailable` when that takes too long: nobody answers, and nobody refuses.
    """
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            return await anyio.to_thread.run_sync(
                partial(call, *args, **kwargs), abandon_on_cancel=True
            )
    except TimeoutError:
        raise errors.Unavailable(f"no answer within {PATIENCE_SECONDS:g} s") from None
