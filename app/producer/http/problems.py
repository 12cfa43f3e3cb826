"""Answer errors with RFC 9457 problem documents. Users see nothing else of an error."""

import http
import logging
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import JSONResponse

from app import errors
from app.protocol.sentences import explain, field_name
from app.protocol.types import JSON_MEDIA_TYPE
from app.protocol.validation import refusal

log = logging.getLogger(__name__)

RETRY_AFTER_SECONDS = 5
SEND_JSON = f"send JSON, with the header Content-Type: {JSON_MEDIA_TYPE}"

# A class that is not listed has the status of its nearest listed base class.
_STATUS: dict[type[errors.WarrenError], int] = {
    errors.WarrenError: 500,
    errors.Invalid: 422,
    errors.Unsupported: 415,
    errors.NotFound: 404,
    errors.NotReady: 409,
    errors.JobEnded: 409,
    errors.Conflict: 409,
    errors.TooLarge: 413,
    errors.Corrupt: 502,
    errors.FitFailed: 502,
    errors.EndpointFailed: 502,
    errors.FitOutOfMemory: 422,
    errors.FitTimeout: 422,
    errors.ModelOutOfMemory: 422,
    errors.ModelQuarantined: 422,
    errors.RateLimited: 429,
    errors.QuotaExceeded: 429,
    errors.StorageFull: 507,
    errors.Unavailable: 503,
    errors.ShuttingDown: 503,
    errors.DeadlineExceeded: 504,
}

# The extra values of `errors.Unsupported` that name the right forms, and their headers on a 415.
_FORMS = {"encodings": "Accept-Encoding", "media_types": "Accept"}

_MEMBERS = ("type", "title", "status", "detail")

# Strict JSON and the body limit raise HTTPException, because FastAPI lets no other error out of
# reading a body. They are the only source of these statuses.
_BODY_ERRORS: dict[int, type[errors.WarrenError]] = {
    413: errors.TooLarge,
    422: errors.Malformed,
    429: errors.QuotaExceeded,
    503: errors.Overloaded,
}

EXPECTED_ERRORS = (errors.WarrenError, RequestValidationError, HTTPException, ClientDisconnect)


def install(app: FastAPI) -> None:
    """Answer every error of `app` with a problem document."""
    for kind in EXPECTED_ERRORS:
        app.add_exception_handler(kind, respond)
    app.add_exception_handler(Exception, _bug)


async def respond(request: Request, error: Exception) -> Response:
    """Return the problem document of an error; it is one of `EXPECTED_ERRORS`."""
    match error:
        case errors.WarrenError():
            return _warren(error)
        case RequestValidationError():
            return _validation(request, error)
        case HTTPException():
            return _http(error)
    log.info("%s %s: the client disconnected", request.method, request.url.path)
    return problem(400, "body: the connection ended before it was complete")


def problem(status: int, detail: str, kind: str = "about:blank", /, **extra: Any) -> Response:
    """Return a problem document with the additional members `extra`."""
    return JSONResponse(
        {
            "type": kind,
            "title": http.HTTPStatus(status).phrase,
            "status": status,
            "detail": detail,
        }
        | {name: value for name, value in extra.items() if name not in _MEMBERS},
        status,
        headers=_retry_after(status, extra),
        media_type="application/problem+json",
    )


def _retry_after(status: int, extra: dict[str, Any]) -> dict[str, str] | None:
    """Return when the same request may succeed, if waiting helps (RFC 9110 section 10.2.3)."""
    if status not in (429, 503):
        return None
    return {"Retry-After": str(extra.get("retry_after", RETRY_AFTER_SECONDS))}


def _warren(error: errors.WarrenError) -> Response:
    status = next(_STATUS[cls] for cls in type(error).__mro__ if cls in _STATUS)
    if status >= 500 and not isinstance(error, errors.Overloaded):  # there may be many
        log.warning("%d: %s", status, error.detail)
    answer = problem(status, error.detail, error.type, **error.extra)
    for name in _FORMS.keys() & error.extra.keys():
        answer.headers[_FORMS[name]] = error.extra[name]
    return answer


def _validation(request: Request, error: RequestValidationError) -> Response:
    first = error.errors()[0]
    origin, location = first["loc"][0], tuple(first["loc"][1:])
    field = field_name(location) or str(origin)
    if field == "body" and isinstance(error.body, bytes):
        return _warren(errors.Invalid(field, SEND_JSON))
    declared = getattr(request.scope.get("route"), "body_field", None)
    if origin == "body" and declared is not None:
        kind = declared.field_info.annotation
        return _warren(refusal(kind, error.body, first, location))
    return _warren(errors.Invalid(field, explain(first)))


def _http(error: HTTPException) -> Response:
    if kind := _BODY_ERRORS.get(error.status_code):
        about = {"field": "body"} if issubclass(kind, errors.FieldError) else {}
        return problem(error.status_code, str(error.detail), kind.type, **about)
    answer = problem(error.status_code, str(error.detail))
    answer.headers.update(error.headers or {})  # Allow, for example
    return answer


async def _bug(request: Request, error: Exception) -> Response:
    log.error("%s %s", request.method, request.url.path, exc_info=error)
    return problem(500, "an error in Warren itself; its log has the details", "internal")
