"""The services that routes use, one of each per application."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Annotated

from anyio import CapacityLimiter
from fastapi import Depends, Request

from app import errors
from app.auth.key_ring import KeyRing
from app.children.limits import MODEL_INSPECTIONS
from app.concurrency import run_in_thread
from app.datasets.descriptions import Descriptions
from app.datasets.versions import DatasetVersions
from app.jobs.quotas import JobQuotas
from app.jobs.store import JobStore
from app.models.registry import CachedModelRegistry
from app.producer.admission import AdmissionControl
from app.producer.answers.event_stream import EventStreams
from app.producer.callers.access import Access
from app.producer.disk_reserve import DiskReserve
from app.producer.jobs.job_watch import JobWatch
from app.producer.rpc.client import RpcClient
from app.producer.rpc.router import PredictionRouter
from app.producer.scrapes import Scrapes
from app.producer.shadow_calls import ShadowCalls
from app.protocol.types import JobStatus
from app.settings import Settings
from app.storage.batch_files import BatchFiles
from app.storage.client import S3Client
from app.storage.model_files import ModelStore
from app.tables.inspection import TableInspector

log = logging.getLogger(__name__)

_DOWNLOADS = 16
_LONG_ANSWERS = 4
_PLACE_SECONDS = 1.0


@dataclass(frozen=True)
class Services:
    """The clients, stores and limits that all requests share."""

    settings: Settings
    rpc: RpcClient
    predictions: PredictionRouter
    in_flight: AdmissionControl
    shadows: ShadowCalls
    jobs: JobStore
    models: CachedModelRegistry
    s3: S3Client
    datasets: DatasetVersions
    descriptions: Descriptions
    model_files: ModelStore
    batch_files: BatchFiles
    streams: EventStreams
    watch: JobWatch
    access: Access
    quotas: JobQuotas  # of the jobs of each caller, and of all callers
    disks: DiskReserve
    uploads: CapacityLimiter  # limits uploads, so that slow clients cannot occupy all threads
    keys: KeyRing | None = None  # None if nobody is authenticated
    scrapes: Scrapes = field(default_factory=Scrapes)
    # Each inspection may take some gigabytes.
    inspections: CapacityLimiter = field(default_factory=lambda: CapacityLimiter(MODEL_INSPECTIONS))
    downloads: CapacityLimiter = field(default_factory=lambda: CapacityLimiter(_DOWNLOADS))
    inspect_table: TableInspector = field(default_factory=TableInspector)
    # Reading one takes some ten megabytes.
    long_answers: CapacityLimiter = field(default_factory=lambda: CapacityLimiter(_LONG_ANSWERS))

    @asynccontextmanager
    async def upload_place(self) -> AsyncIterator[None]:
        """Hold a place among the uploads. Raises `errors.Overloaded` after a second without one."""
        async with _place(self.uploads, "uploads"):
            yield

    @asynccontextmanager
    async def download_place(self) -> AsyncIterator[None]:
        """Hold a place among the downloads. Raises what `upload_place` does."""
        async with _place(self.downloads, "downloads"):
            yield

    async def publish_job(
        self, queue: str, message: bytes, job_id: str, *, replied: bool = True
    ) -> JobStatus:
        """Publish an accepted job; return its status after `train_wait` seconds at most.

        `replied` tells whether consumers reply to this message. If the broker cannot be reached,
        the outbox publishes the job later.
        """
        wait = self.settings.train_wait
        try:
            if reply := await self.rpc.submit(queue, message, job_id, wait, replied=replied):
                return reply.status
        except errors.BrokerUnavailable as error:
            # The job stays accepted, because the relay publishes it. If the database cannot be
            # reached either, reconciliation finds that its message is missing.
            log.warning("the job goes to the outbox: %s", error)
            with suppress(errors.Unavailable):
                await run_in_thread(self.jobs.mark_unpublished, job_id)
        return JobStatus.QUEUED


@asynccontextmanager
async def _place(places: CapacityLimiter, what: str) -> AsyncIterator[None]:
    token = object()  # a task may hold two places
    try:
        async with asyncio.timeout(_PLACE_SECONDS):
            await places.acquire_on_behalf_of(token)
    except TimeoutError:
        detail = f"{places.total_tokens:g} {what} are under way: ask again in a moment"
        raise errors.Overloaded(detail) from None
    try:
        yield
    finally:
        places.release_on_behalf_of(token)


def services_of(request: Request) -> Services:
    """Return the services of the application that serves `request`, for raw routes."""
    services: Services = request.app.state.services
    return services


async def _services(request: Request) -> Services:  # not a thread's work
    return services_of(request)


ServicesDep = Annotated[Services, Depends(_services)]
