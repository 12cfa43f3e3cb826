"""Errors as RFC 9457 problem documents. Nothing else of an error reaches a user."""

import http
import logging
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import JSONResponse

from app import errors
from app.protocol.types import JSON_MEDIA_TYPE
from app.protocol.validation import field_name

log = logging.getLogger(__name__)

RETRY_AFTER_SECONDS = 5
SEND_JSON = f"send JSON, with the header Content-Type: {JSON_MEDIA_TYPE}"

# The status of a class is that of the nearest one above it which stands here.
_STATUS: dict[type[errors.WarrenError], int] = {
    errors.WarrenError: 500,
    errors.Invalid: 422,
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
    errors.Unavailable: 503,
    errors.ShuttingDown: 503,
    errors.DeadlineExceeded: 504,
}


_MEMBERS = ("type", "title", "status", "detail")

# FastAPI lets only its own error out of reading a body; these statuses are about nothing else.
_OF_BODY = {413: errors.TooLarge, 422: errors.Malformed}


def install(app: FastAPI) -> None:
    """Have every error of `app` answered with a problem document."""
    app.add_exception_handler(errors.WarrenError, _warren)
    app.add_exception_handler(RequestValidationError, _validation)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(ClientDisconnect, _gone)
    app.add_exception_handler(Exception, _bug)


def problem(status: int, detail: str, kind: str = "about:blank", /, **extra: Any) -> Response:
    """Return a problem document, with what `extra` adds to it."""
    return JSONResponse(
        {
            "type": kind,
            "title": http.HTTPStatus(status).phrase,
            "status": status,
            "detail": detail,
        }
        | {name: value for name, value in extra.items() if name not in _MEMBERS},
        status,
        headers={"Retry-After": str(RETRY_AFTER_SECONDS)} if status == 503 else None,
        media_type="application/problem+json",
    )


async def _warren(_: Request, error: Exception) -> Response:
    assert isinstance(error, errors.WarrenError)
    status = next(_STATUS[cls] for cls in type(error).__mro__ if cls in _STATUS)
    if status >= 500 and not isinstance(error, errors.Overloaded):  # a flood of them, if any
        log.warning("%d: %s", status, error.detail)
    return problem(status, error.detail, error.type, **error.extra)


async def _validation(_: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    field = field_name(first["loc"][1:]) or str(first["loc"][0])
    said = str(first["msg"]).removeprefix("Value error, ")
    if field == "body" and isinstance(error.body, bytes):
        said = SEND_JSON
    return problem(422, f"{field}: {said}", errors.Invalid.type, field=field)


async def _http(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if kind := _OF_BODY.get(error.status_code):
        return problem(error.status_code, str(error.detail), kind.type, field="body")
    answer = problem(error.status_code, str(error.detail))
    answer.headers.update(error.headers or {})  # Allow, for one
    return answer


async def _gone(request: Request, _: Exception) -> Response:
    log.info("%s %s: the client hung up", request.method, request.url.path)
    return problem(400, "body: it broke off")


async def _bug(request: Request, error: Exception) -> Response:
    log.error("%s %s", request.method, request.url.path, exc_info=error)
    return problem(500, "an error in Warren itself; its log has the details", "internal")
