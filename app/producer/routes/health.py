"""`/health` and `/health/all`: whether each service responds, and how fast."""

import asyncio
import time
from collections.abc import Awaitable

from fastapi import APIRouter, Response
from starlette.responses import JSONResponse

from app import errors
from app.amqp.topology import DEAD_LETTER_QUEUE, WORK_QUEUES
from app.auth.identity import Scope
from app.auth.names import owner_of, shown
from app.auth.shown_names import shown_text
from app.concurrency import run_in_thread
from app.jobs.workers import known_workers
from app.observability.version import running_version
from app.producer.answers.worker_versions import has_skew, versions_of
from app.producer.callers.access import OwnerDep
from app.producer.routing.route_scopes import allow, allow_everybody
from app.producer.routing.strict_route import StrictRoute, problem_responses
from app.producer.rpc.router import PredictionRouter
from app.producer.schemas.health import Check, Health, ModelHealth, RunningVersions
from app.producer.services import Services, ServicesDep
from app.protocol.types import ModelKind

TIMEOUT_SECONDS = 3.0

router = APIRouter(route_class=StrictRoute, tags=["health"])


@router.get("/", responses=problem_responses(422))
@allow_everybody
async def root() -> dict[str, str]:
    """Report that the producer is up."""
    return {"Status": "OK"}


@router.get("/health", responses=problem_responses(422))
@allow_everybody
async def alive() -> dict[str, str]:
    """Report that this process serves, without calling other services."""
    return {"status": "ok"}


@router.get(
    "/health/all",
    response_model=Health,
    responses={**problem_responses(422), 503: {"model": Health}},
)
@allow(Scope.METRICS, Scope.ADMIN)
async def health_all(services: ServicesDep, owner: OwnerDep) -> Response:
    """Check every service, with the time it took; 503 if one does not respond."""
    found = await check_all(services, owner)
    return JSONResponse(found.model_dump(exclude_none=True), 200 if found.status == "ok" else 503)


async def check_all(services: Services, owner: str) -> Health:
    """Check the broker, S3, the database and the consumers of each queue, all at once.

    Of the models that were called, only those of `owner` are told.
    """
    checks = {
        "broker": _broker(services),
        "s3": run_in_thread(services.s3.check),
        "database": run_in_thread(services.jobs.check),
        # A queue without a consumer would leave its requests without an answer.
        **{queue: _consumed(services, queue) for queue in WORK_QUEUES},
    }
    versions = asyncio.create_task(_versions(services))
    results = await asyncio.gather(*map(_check, checks.values()))
    ok = all(result.status == "ok" for result in results)
    return Health(
        status="ok" if ok else "ng",
        checks=dict(zip(checks, results, strict=True)),
        models=_models(services.predictions, owner),
        versions=await versions,
    )


async def _versions(services: Services) -> RunningVersions | None:
    """Return which versions run; None while the database, which has a check, cannot tell."""
    try:
        async with asyncio.timeout(TIMEOUT_SECONDS):
            workers = await run_in_thread(known_workers, services.jobs.engine)
    except (errors.Unavailable, TimeoutError):
        return None
    return RunningVersions(
        producer=running_version(), consumers=versions_of(workers), skew=has_skew(workers)
    )


def _models(predictions: PredictionRouter, owner: str) -> dict[str, ModelHealth]:
    now = predictions.usage.clock()
    return {
        shown(owner, name): ModelHealth(
            kind=ModelKind.ENDPOINT if predictions.invokes(name) else None,
            state="ok" if use.ok else "ng",
            calls=use.calls,
            errors=use.errors,
            elapsed_ms=round(use.elapsed * 1000, 1),
            seconds_ago=round(now - use.at, 1),
            error=use.error and shown_text(owner, use.error),
        )
        for name, use in predictions.usage.recent().items()
        if owner_of(name) == owner
    }


async def _check(probe: Awaitable[object]) -> Check:
    begin = time.perf_counter()
    detail = None
    try:
        async with asyncio.timeout(TIMEOUT_SECONDS):
            await probe
    except errors.WarrenError as error:
        detail = error.detail
    except TimeoutError:
        detail = f"no answer within {TIMEOUT_SECONDS:g} s"
    elapsed = round((time.perf_counter() - begin) * 1000, 1)
    return Check(status="ng" if detail else "ok", elapsed_ms=elapsed, detail=detail)


async def _broker(services: Services) -> None:
    await services.rpc.count(DEAD_LETTER_QUEUE)


async def _consumed(services: Services, queue: str) -> None:
    if not (await services.rpc.count(queue)).consumers:
        raise errors.Unavailable(f"{queue} has no consumer")
