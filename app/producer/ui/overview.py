"""What the overview shows of the whole Warren. Pages that are open at once share one look."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from time import monotonic

from app import errors
from app.amqp.rpc_connection import QueueCount
from app.concurrency import run_in_thread
from app.jobs.listing import JobFilter
from app.jobs.workers import Unacknowledged, known_workers, unacknowledged
from app.observability.metrics import catalogue
from app.producer.routes.health import check_all
from app.producer.schemas.health import Health
from app.producer.scrapes import QUEUES, count_queue
from app.producer.services import Services
from app.producer.ui.objectives import Objectives, Rate, objectives
from app.protocol.types import JobStatus

MOST_COUNTED = 1_000
LOOK_SECONDS = 2.0
_STATES = tuple(each for each in JobStatus if each is not JobStatus.RECEIVED)


@dataclass(frozen=True)
class BrokerLook:
    """What the health check found, what each queue has, and how this producer answers.

    A queue is None where nobody answered, what consumers hold is where the database did not, and
    the `rate` of `/predict`, in requests a second, at the first look.
    """

    health: Health
    queues: dict[str, QueueCount | None]
    held: Unacknowledged | None
    objectives: Objectives
    rate: float | None


class Look:
    """Looks at the broker and at the jobs, for each owner once in `LOOK_SECONDS` at most."""

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        """Begin without having looked."""
        self._clock = clock
        self._rate = Rate()
        self._found: dict[tuple[str, str], tuple[float, asyncio.Future[object]]] = {}

    async def broker(self, services: Services, owner: str) -> BrokerLook:
        """Return the health and the queues, as `GET /health/all` finds them."""
        found = await self._once(("broker", owner), lambda: self._look_at_broker(services, owner))
        assert isinstance(found, BrokerLook)
        return found

    async def jobs(self, services: Services, owner: str) -> dict[JobStatus, int]:
        """Return how many jobs an owner has in each state, `MOST_COUNTED` at most."""
        found = await self._once(("jobs", owner), lambda: _count_jobs(services, owner))
        assert isinstance(found, dict)
        return found

    async def _look_at_broker(self, services: Services, owner: str) -> BrokerLook:
        counting = (count_queue(services.rpc, queue) for queue in QUEUES)
        health, counts, held = await asyncio.gather(
            check_all(services, owner), asyncio.gather(*counting), _look_at_workers(services)
        )
        found = objectives(catalogue.HTTP.read(), catalogue.HTTP.bounds)
        rate = self._rate.look(self._clock(), found.requests)
        return BrokerLook(health, dict(zip(QUEUES, counts, strict=True)), held, found, rate)

    async def _once(self, key: tuple[str, str], look: Callable[[], Awaitable[object]]) -> object:
        now = self._clock()
        self._found = {k: v for k, v in self._found.items() if now - v[0] < LOOK_SECONDS}
        if key not in self._found:
            self._found[key] = now, asyncio.ensure_future(look())
        return await asyncio.shield(self._found[key][1])  # others wait for it, too


async def _look_at_workers(services: Services) -> Unacknowledged | None:
    try:
        return unacknowledged(await run_in_thread(known_workers, services.jobs.engine))
    except errors.DatabaseUnavailable:  # the page has what the broker said
        return None


async def _count_jobs(services: Services, owner: str) -> dict[JobStatus, int]:
    def count() -> dict[JobStatus, int]:
        return {
            state: services.jobs.count(JobFilter(owner, state), MOST_COUNTED) for state in _STATES
        }

    return await run_in_thread(count)
