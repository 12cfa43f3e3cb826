"""The `Idempotency-Key` header: one key, one job."""

import hashlib
import re
from typing import Annotated, Any

from fastapi import Header, Request
from pydantic import Field

from app import errors
from app.auth.identity import DEFAULT_OWNER
from app.jobs.record import Job
from app.protocol.types import Explained

_NAME, _PATTERN = "Idempotency-Key", r"^[!-~]{1,255}$"
_ALLOWED = "use 1 to 255 printable ASCII characters and no spaces"
_EXAMPLE = "order-4711"
_DESCRIPTION = "The same key with the same body returns the same job, with another body a 422."

IdempotencyKey = Annotated[
    Annotated[str, Field(pattern=_PATTERN), Explained(_ALLOWED)] | None,
    Header(alias=_NAME, description=_DESCRIPTION, examples=[_EXAMPLE]),
]

# OpenAPI's description of the header, for raw routes.
IDEMPOTENCY_PARAMETER: dict[str, Any] = {
    "name": _NAME,
    "in": "header",
    "required": False,
    "description": _DESCRIPTION,
    "schema": {"type": "string", "pattern": _PATTERN, "examples": [_EXAMPLE]},
}


def idempotency_key(request: Request) -> str | None:
    """Return the idempotency key of a request, or None. Raises `errors.Invalid`."""
    key = request.headers.get(_NAME)
    if key is not None and not re.fullmatch(_PATTERN, key):
        raise errors.Invalid(_NAME, _ALLOWED)
    return key


def qualified_key(owner: str, key: str | None) -> str | None:
    """Return the key as the job table has it, where the same key of two owners differs.

    It has a blank, which a client's key never has, and is short whatever the key's length is.
    """
    if key is None or owner == DEFAULT_OWNER:
        return key
    return f"{owner} {hashlib.sha256(key.encode()).hexdigest()}"


def key_conflict(job: Job) -> errors.Invalid:
    """Return the error of a request whose idempotency key belongs to another job."""
    return errors.Invalid(_NAME, "this key was used with another body", job=job.id)
