"""What a producer answers to a scrape: what it counts itself, and what it reads for it."""

import asyncio
import platform
from collections.abc import Mapping
from functools import partial
from time import monotonic

from app import errors
from app.amqp.rpc_connection import QueueCount
from app.amqp.topology import DEAD_LETTER_QUEUE, RETRY_QUEUES, WORK_QUEUES
from app.concurrency import run_in_thread
from app.database.engine import Engine
from app.jobs.census import JobCensus, take_census
from app.jobs.workers import KnownWorker, known_workers
from app.observability.metrics import catalogue
from app.observability.metrics.exposition import Exposition
from app.observability.metrics.families import PRODUCER, Gauge, Labels
from app.observability.version import running_version
from app.producer.disk_reserve import DiskReserve
from app.producer.rpc.client import RpcClient

QUEUES = (*WORK_QUEUES, *RETRY_QUEUES, DEAD_LETTER_QUEUE)
TABLE_SECONDS = 15.0  # between two counts of the job table: at 500,000 jobs one takes 0.1 s
QUEUE_SECONDS = 1.0  # between two looks at the queues, whoever scrapes
# How long the broker and the database may take: a scrape ends after ten seconds by default.
ANSWER_SECONDS = 3.0
DATABASE_SECONDS = 5.0

_Values = Mapping[Labels, float]


class Scrapes:
    """Renders the metrics of a producer. It belongs to one event loop."""

    def __init__(self, table_seconds: float = TABLE_SECONDS) -> None:
        """Read nothing yet; the job table is counted every `table_seconds` at most."""
        self._table_seconds = table_seconds
        self._queues_until = self._table_until = 0.0
        self._values: dict[Gauge, _Values] = {
            each: {} for each in catalogue.FAMILIES if isinstance(each, Gauge)
        }
        build = running_version(), platform.python_version()
        self._values[catalogue.BUILD] = {build: 1.0}
        gauges = {each: partial(self._values.__getitem__, each) for each in self._values}
        self._exposition = Exposition(PRODUCER, gauges)
        self._reading = asyncio.Lock()

    async def render(
        self, engine: Engine, rpc: RpcClient, disks: DiskReserve, accept: str
    ) -> tuple[bytes, str]:
        """Return the metrics and their media type, which the header `Accept` chooses.

        What cannot be read, because the broker or the database is away, is left out.
        """
        async with self._reading:
            await self._read_broker(rpc)
            await self._read_tables(engine)
            free = await run_in_thread(disks.free)
            self._values[catalogue.DISK_FREE] = {(str(path),): size for path, size in free.items()}
            self._values[catalogue.DISK_RESERVE] = {(): disks.reserve}
            # In a thread, because predictions must not wait for it.
            return await run_in_thread(self._exposition.render, accept)

    async def _read_broker(self, rpc: RpcClient) -> None:
        self._values[catalogue.CALLS] = {(): rpc.in_flight}
        if monotonic() < self._queues_until:
            return
        self._queues_until = monotonic() + QUEUE_SECONDS
        counted = await asyncio.gather(*(count_queue(rpc, queue) for queue in QUEUES))
        counts = [(queue, each) for queue, each in zip(QUEUES, counted, strict=True) if each]
        self._values[catalogue.BROKER] = {(): float(bool(counts))}
        self._values[catalogue.QUEUE_MESSAGES] = {(name,): each.ready for name, each in counts}
        self._values[catalogue.QUEUE_CONSUMERS] = {(name,): each.consumers for name, each in counts}

    async def _read_tables(self, engine: Engine) -> None:
        if monotonic() < self._table_until:
            return
        census, workers = JobCensus({}, {}, {}), list[KnownWorker]()
        try:
            async with asyncio.timeout(DATABASE_SECONDS):
                census = await run_in_thread(take_census, engine)
                workers = await run_in_thread(known_workers, engine)
            self._table_until = monotonic() + self._table_seconds
            connected = 1.0
        except (errors.Unavailable, TimeoutError):
            connected = 0.0
        self._values[catalogue.DATABASE] = {(): connected}
        self._values[catalogue.JOBS] = {(*key,): n for key, n in census.counts.items()}
        self._values[catalogue.JOBS_DELAYED] = {(kind,): n for kind, n in census.delayed.items()}
        self._values[catalogue.OLDEST_QUEUED] = {(kind,): n for kind, n in census.oldest.items()}
        known: dict[Labels, float] = {}
        for each in workers:
            labels = each.state, each.version
            known[labels] = known.get(labels, 0.0) + 1.0
        self._values[catalogue.WORKERS] = known


async def count_queue(rpc: RpcClient, queue: str) -> QueueCount | None:
    """Return what a queue has; None if it is missing, or the broker does not answer."""
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            return await rpc.count(queue)
    except (errors.Unavailable, TimeoutError):
        return None
