"""Answer errors with RFC 9457 problem documents. Users see nothing else of an error."""

import http
import logging
from collections.abc import Callable, Sequence
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import JSONResponse

from app import errors
from app.auth.shown_names import shown_error, shown_text
from app.producer.callers.caller import identity_of
from app.protocol.sent_value import sent_value
from app.protocol.sentences import explain, field_name
from app.protocol.types import JSON_MEDIA_TYPE, PROBLEM_MEDIA_TYPE
from app.protocol.validation import refusal

log = logging.getLogger(__name__)

RETRY_AFTER_SECONDS = 5

# A class that is not listed has the status of its nearest listed base class.
_STATUS: dict[type[errors.WarrenError], int] = {
    errors.WarrenError: 500,
    errors.Invalid: 422,
    errors.Unsupported: 415,
    errors.Unauthenticated: 401,
    errors.Forbidden: 403,
    errors.NotFound: 404,
    errors.Gone: 410,
    errors.NotReady: 409,
    errors.JobEnded: 409,
    errors.Conflict: 409,
    errors.TooLarge: 413,
    errors.Misdirected: 421,
    errors.ForeignOrigin: 403,
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


# Returns a problem as it is, unless the request is one of its own.
ProblemForm = Callable[[Request, Response], Response]


def install(app: FastAPI, *forms: ProblemForm) -> None:
    """Answer every error of `app` with a problem document, or what the `forms` make of it."""
    app.state.problem_forms = forms
    for kind in (*EXPECTED_ERRORS, Exception):
        app.add_exception_handler(kind, respond)


def not_json() -> errors.Unsupported:
    """Return the error of a body that is not declared as JSON, where only that is read."""
    said = f"send JSON, with the header Content-Type: {JSON_MEDIA_TYPE}"
    return errors.Unsupported("body", said, media_types=JSON_MEDIA_TYPE)


async def respond(request: Request, error: Exception) -> Response:
    """Return the problem document of an error, or another form of it that the request is due."""
    answer = _document(request, error)
    app = request.scope.get("app")
    forms: Sequence[ProblemForm] = getattr(app.state, "problem_forms", ()) if app else ()
    for form in forms:
        answer = form(request, answer)
    return answer


def _document(request: Request, error: Exception) -> Response:
    """Return the problem document of an error; of one that is not expected, log its traceback."""
    match error:
        case errors.WarrenError():
            return _warren(request, error)
        case RequestValidationError():
            return _validation(request, error)
        case HTTPException():
            return _http(request, error)
        case ClientDisconnect():
            log.info("%s %s: the client disconnected", request.method, request.url.path)
            return problem(400, "body: the connection ended before it was complete")
    log.error("%s %s", request.method, request.url.path, exc_info=error)
    return problem(500, "an error in Warren itself; its log has the details", "internal")


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
        headers=_headers(status, extra),
        media_type=PROBLEM_MEDIA_TYPE,
    )


def _headers(status: int, extra: dict[str, Any]) -> dict[str, str] | None:
    """Return how to authenticate, or when the same request may succeed (RFC 9110, RFC 6750)."""
    if status == 401:
        return {"WWW-Authenticate": 'Bearer realm="Warren"'}
    if status not in (429, 503):
        return None
    return {"Retry-After": str(extra.get("retry_after", RETRY_AFTER_SECONDS))}


def _warren(request: Request, error: errors.WarrenError) -> Response:
    owner = identity_of(request.scope).owner
    status = next(_STATUS[cls] for cls in type(error).__mro__ if cls in _STATUS)
    if status >= 500 and not isinstance(error, errors.Overloaded):  # there may be many
        log.warning("%d: %s", status, error.detail)
    detail, extra = shown_text(owner, error.detail), shown_error(owner, error.extra)
    answer = problem(status, detail, error.type, **extra)
    for name in _FORMS.keys() & error.extra.keys():
        answer.headers[_FORMS[name]] = error.extra[name]
    return answer


def _validation(request: Request, error: RequestValidationError) -> Response:
    first = error.errors()[0]
    origin, location = first["loc"][0], tuple(first["loc"][1:])
    field = field_name(location) or str(origin)
    if field == "body" and isinstance(error.body, bytes):
        return _warren(request, not_json())
    declared = getattr(request.scope.get("route"), "body_field", None)
    if origin == "body" and declared is not None:
        kind = declared.field_info.annotation
        return _warren(request, refusal(kind, error.body, first, location))
    sent = sent_value(first) if origin in ("path", "query") else ""  # headers may be secrets
    return _warren(request, errors.Invalid(field, explain(first) + sent))


def _http(request: Request, error: HTTPException) -> Response:
    detail = shown_text(identity_of(request.scope).owner, str(error.detail))
    if kind := _BODY_ERRORS.get(error.status_code):
        about = {"field": "body"} if issubclass(kind, errors.FieldError) else {}
        return problem(error.status_code, detail, kind.type, **about)
    answer = problem(error.status_code, detail)
    answer.headers.update(error.headers or {})  # Allow or Connection
    return answer
