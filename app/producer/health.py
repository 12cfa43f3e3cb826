"""Health: whether each part answers, and how long it takes to."""

import asyncio
import time
from collections.abc import Awaitable

from app import errors, queues
from app.producer.dispatch import Predictions
from app.producer.services import Services, threaded
from app.producer.views import Check, Health, ModelHealth

TIMEOUT_SECONDS = 3.0


async def check_all(services: Services) -> Health:
    """Ask the broker, S3, the database, and each queue for its consumers; all at once."""
    checks = {
        "broker": _broker(services),
        "s3": threaded(services.storage.check),
        "database": threaded(services.jobs.check),
        # Without a consumer of each, something that a client may ask for would never be answered.
        **{queue: _consumed(services, queue) for queue in queues.WORK},
    }
    results = await asyncio.gather(*map(_check, checks.values()))
    ok = all(result.status == "ok" for result in results)
    return Health(
        status="ok" if ok else "ng",
        checks=dict(zip(checks, results, strict=True)),
        models=_models(services.predictions),
    )


def _models(predictions: Predictions) -> dict[str, ModelHealth]:
    now = time.monotonic()
    return {
        name: ModelHealth(
            kind="endpoint" if predictions.invokes(name) else None,
            state="ok" if use.ok else "ng",
            calls=use.calls,
            errors=use.errors,
            elapsed_ms=round(use.elapsed * 1000, 1),
            seconds_ago=round(now - use.at, 1),
            error=use.error,
        )
        for name, use in predictions.usage.recent().items()
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
    await services.rpc.consumers(queues.DEAD)


async def _consumed(services: Services, queue: str) -> None:
    if not await services.rpc.consumers(queue):
        raise errors.Unavailable(f"{queue} has no consumer")
