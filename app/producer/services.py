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
from app.concurrency import run_in_thread
from app.jobs.quotas import JobQuotas
from app.jobs.store import JobStore
from app.models.registry import CachedModelRegistry
from app.producer.admission import AdmissionControl
from app.producer.disk_reserve import DiskReserve
from app.producer.http.event_stream import EventStreams
from app.producer.rpc.client import RpcClient
from app.producer.rpc.router import PredictionRouter
from app.protocol.types import JobStatus
from app.settings import Settings
from app.storage.client import S3Client
from app.storage.datasets import DatasetStore
from app.storage.model_files import ModelStore

log = logging.getLogger(__name__)

_INSPECTIONS = 2
_LONG_ANSWERS = 4
_PLACE_SECONDS = 1.0


@dataclass(frozen=True)
class Services:
    """The clients, stores and limits that all requests share."""

    settings: Settings
    rpc: RpcClient
    predictions: PredictionRouter
    in_flight: AdmissionControl
    jobs: JobStore
    models: CachedModelRegistry
    s3: S3Client
    datasets: DatasetStore
    model_files: ModelStore
    streams: EventStreams
    quotas: JobQuotas  # of the jobs of each caller, and of all callers
    disks: DiskReserve
    uploads: CapacityLimiter  # limits uploads, so that slow clients cannot occupy all threads
    # Each inspection may take some gigabytes.
    inspections: CapacityLimiter = field(default_factory=lambda: CapacityLimiter(_INSPECTIONS))
    # Reading one takes some ten megabytes.
    long_answers: CapacityLimiter = field(default_factory=lambda: CapacityLimiter(_LONG_ANSWERS))

    @asynccontextmanager
    async def upload_place(self) -> AsyncIterator[None]:
        """Hold a place among the uploads. Raises `errors.Overloaded` after a second without one."""
        try:
            async with asyncio.timeout(_PLACE_SECONDS):
                await self.uploads.acquire()
        except TimeoutError:
            count = self.uploads.total_tokens
            raise errors.Overloaded(
                f"{count:g} uploads are under way: ask again in a moment"
            ) from None
        try:
            yield
        finally:
            self.uploads.release()

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


async def get_services(request: Request) -> Services:
    """Return the services of the application that serves `request`."""
    services: Services = request.app.state.services
    return services


ServicesDep = Annotated[Services, Depends(get_services)]
