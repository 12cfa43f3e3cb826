"""Accept batch jobs: the row, the message, and the answer to a request that is repeated."""

import hashlib
import json
import logging
from contextlib import suppress
from functools import partial
from typing import Any

from fastapi import Request, Response

from app import errors
from app.amqp.topology import BATCH_QUEUE
from app.auth.shown_names import MODEL_MEMBERS
from app.concurrency import run_in_thread
from app.jobs.quotas import quotas_for
from app.jobs.record import Job
from app.observability import logs
from app.producer.callers.caller import actor_of, caller_of, identity_of
from app.producer.jobs.accepted_prediction import accepted_prediction
from app.producer.jobs.idempotency import key_conflict
from app.producer.services import Services
from app.protocol.batch_request import BatchRequest
from app.protocol.requests import job_notification
from app.protocol.types import JobKind, JobStatus

log = logging.getLogger(__name__)


async def job_of_key(services: Services, key: str | None) -> Job | None:
    """Return the job of an idempotency key, if there is one."""
    return await run_in_thread(services.jobs.of_key, key) if key else None


async def create_batch(
    request: Request,
    services: Services,
    job_id: str,
    asked: BatchRequest,
    digest: str,
    key: str | None,
    **more: Any,
) -> Job | None:
    """Create the job; return None, or the job that has the idempotency key already.

    Raises `errors.QuotaExceeded`, `Overloaded` or `DatabaseUnavailable`.
    """
    row = {**asked.model_dump(mode="json", exclude_none=True), "sha256": digest}
    create = partial(
        services.jobs.create,
        *(job_id, JobKind.BATCH, asked.dataset_id, row),
        caller=caller_of(request.scope),
        size=len(json.dumps(row)),
        quotas=quotas_for(identity_of(request.scope), services.quotas),
        by=actor_of(request.scope),
        idempotency_key=key,
        folder=services.batch_files.folder(job_id),
        **more,
    )
    created = await run_in_thread(create)
    return None if created else await job_of_key(services, key)


async def publish_batch(
    request: Request, services: Services, job_id: str, asked: BatchRequest
) -> Response:
    """Publish a job that was created, and answer its request."""
    with logs.log_task(log, job_id, f"batch model={asked.model_id}") as task:
        message = job_notification(job_id)
        task.status = await services.publish_job(BATCH_QUEUE, message, job_id, replied=False)
    row = asked.model_dump(include=set(MODEL_MEMBERS), exclude_none=True)
    return accepted_prediction(request, JobStatus.QUEUED, job_id, row)


async def delete_upload(services: Services, job_id: str) -> None:
    """Delete the table of a job that was not created."""
    with suppress(errors.Unavailable):  # the sweeper deletes it later
        await run_in_thread(services.batch_files.delete_folder, services.batch_files.folder(job_id))


def digest_of(*asked: str) -> str:
    """Return a hash of what was asked; a repeated request must have the same one."""
    return hashlib.sha256("".join(asked).encode()).hexdigest()


def answer_again(request: Request, job: Job, digest: str) -> Response:
    """Answer a request whose idempotency key is that of a job.

    Raises `errors.Invalid` if that job was asked for otherwise.
    """
    if job.kind is not JobKind.BATCH or job.request.get("sha256") != digest:
        raise key_conflict(job)
    return accepted_prediction(request, job.state, job.id, job.request)
