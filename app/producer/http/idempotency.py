"""The `Idempotency-Key` header: one key, one job."""

import logging
import re
from typing import Annotated, Any

from fastapi import Header, Request

from app import errors
from app.jobs.record import Job

log = logging.getLogger(__name__)

_NAME, _PATTERN = "Idempotency-Key", r"^[!-~]{1,255}$"
_DESCRIPTION = "The same key with the same body is the same job, with another body a 422."

IdempotencyKey = Annotated[
    str | None, Header(alias=_NAME, pattern=_PATTERN, description=_DESCRIPTION)
]

# What OpenAPI says of it where FastAPI does not read it.
IDEMPOTENCY_PARAMETER: dict[str, Any] = {
    "name": _NAME,
    "in": "header",
    "required": False,
    "description": _DESCRIPTION,
    "schema": {"type": "string", "pattern": _PATTERN},
}


def idempotency_key(request: Request) -> str | None:
    """Return the idempotency key of a request, if it has one. Raises `errors.Invalid`."""
    key = request.headers.get(_NAME)
    if key is not None and not re.fullmatch(_PATTERN, key):
        raise errors.Invalid(_NAME, f"it has to match {_PATTERN}")
    return key


def key_conflict(job: Job) -> errors.Invalid:
    """Return the error of a request whose idempotency key is that of another job."""
    return errors.Invalid(_NAME, "it was used with another body", job=job.id)
