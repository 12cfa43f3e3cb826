"""Turn answers that are errors, and errors of jobs, into the errors of the client."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import httpx2

from warren_client import errors

# What a type means that the client does not know: what its status means.
_BY_STATUS: dict[int, type[errors.WarrenError]] = {
    401: errors.Unauthenticated,
    403: errors.Forbidden,
    404: errors.NotFound,
    409: errors.Conflict,
    410: errors.Gone,
    412: errors.Conflict,
    413: errors.TooLarge,
    415: errors.Unsupported,
    422: errors.Invalid,
    429: errors.RateLimited,
    502: errors.Unavailable,
    503: errors.Unavailable,
    504: errors.DeadlineExceeded,
    507: errors.Unavailable,
}
# Types without a status, as replies over AMQP and jobs have them, that may succeed later.
_LATER = frozenset(
    {
        *("broker_unavailable", "child_killed", "consumer_lost", "database_unavailable"),
        *("endpoint_unavailable", "model_lost", "overloaded", "storage_full"),
        *("storage_unavailable", "unroutable"),
    }
)
_MOST_TEXT = 300  # of an answer that is no problem document


def _known(root: type[errors.WarrenError]) -> Iterator[tuple[str, type[errors.WarrenError]]]:
    yield root.type, root
    for child in root.__subclasses__():
        yield from _known(child)


_BY_TYPE = dict(_known(errors.WarrenError))


def error_of_answer(answer: httpx2.Response) -> errors.WarrenError:
    """Return the error that an answer is, which was read and is no success."""
    problem = problem_of(answer)
    if problem is None:
        text = answer.text.strip()[:_MOST_TEXT]
        detail = f"{answer.status_code} {answer.reason_phrase}" + (f": {text}" if text else "")
    else:
        detail = str(problem.get("detail") or problem.get("title"))
    kind = _BY_TYPE.get(str((problem or {}).get("type")))
    kind = kind or _BY_STATUS.get(answer.status_code, errors.WarrenError)
    return kind(
        detail,
        status=answer.status_code,
        problem=problem,
        retry_after=retry_after(answer.headers.get("Retry-After")),
    )


def error_of_job(problem: Mapping[str, Any] | None) -> errors.WarrenError:
    """Return the error that a job has kept of its last attempt."""
    told = problem or {}
    name = str(told.get("type"))
    kind = _BY_TYPE.get(name, errors.Unavailable if name in _LATER else errors.WarrenError)
    return kind(str(told.get("detail") or "no reason given"), problem=problem)


def problem_of(answer: httpx2.Response) -> dict[str, Any] | None:
    """Return the problem document of an answer, or None if it has none."""
    if "problem+json" not in answer.headers.get("Content-Type", ""):
        return None
    try:
        found = answer.json()
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def retry_after(value: str | None) -> float | None:
    """Return the seconds that a `Retry-After` means: a number, or a date (RFC 9110 10.2.3)."""
    if not value:
        return None
    if value.strip().isascii() and value.strip().isdecimal():
        return float(value)
    try:
        until = parsedate_to_datetime(value)
    except ValueError:
        return None
    if until.tzinfo is None:
        until = until.replace(tzinfo=UTC)
    return max(0.0, (until - datetime.now(UTC)).total_seconds())
