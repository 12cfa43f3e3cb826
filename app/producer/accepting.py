"""What all routes share that accept a job."""

import logging
import re
from contextlib import suppress
from typing import Annotated, Any

from fastapi import Header, Request

from app import errors
from app.database import Job
from app.messages import Status
from app.producer.services import Services, threaded

log = logging.getLogger(__name__)

_NAME, _PATTERN = "Idempotency-Key", r"^[!-~]{1,255}$"
_DESCRIPTION = "The same key with the same body is the same job, with another body a 422."

Key = Annotated[str | None, Header(alias=_NAME, pattern=_PATTERN, description=_DESCRIPTION)]

# What OpenAPI says of it where FastAPI does not read it.
DOCUMENTED: dict[str, Any] = {
    "name": _NAME,
    "in": "header",
    "required": False,
    "description": _DESCRIPTION,
    "schema": {"type": "string", "pattern": _PATTERN},
}


def key_of(request: Request) -> str | None:
    """Return the idempotency key of a request, if it has one. Raises `errors.Invalid`."""
    key = request.headers.get(_NAME)
    if key is not None and not re.fullmatch(_PATTERN, key):
        raise errors.Invalid(f"{_NAME}: it has to match {_PATTERN}", field=_NAME)
    return key


async def submit(
    services: Services, queue: str, message: bytes, job_id: str, *, replied: bool = True
) -> Status:
    """Publish an accepted job; return how far it has come when the time to wait is over."""
    wait = services.settings.train_wait
    try:
        if reply := await services.rpc.submit(queue, message, job_id, wait, replied=replied):
            return reply.status
    except errors.BrokerUnavailable as error:
        # The job is accepted all the same: the relay publishes it. If the database is away now,
        # too, the message will be found missing.
        log.warning("the job goes to the outbox: %s", error)
        with suppress(errors.Unavailable):
            await threaded(services.jobs.unpublish, job_id)
    return Status.QUEUED


def other_body(job: Job) -> errors.Invalid:
    """Return the error of a request whose idempotency key is that of another job."""
    return errors.Invalid(f"{_NAME}: it was used with another body", field=_NAME, job=job.id)
