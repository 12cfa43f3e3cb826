"""Errors below `/v2`, as the Open Inference Protocol has them: `{"error": text}`."""

import json
from typing import Any

from fastapi import Request, Response
from starlette.responses import JSONResponse

from app.producer.schemas.components import component
from app.producer.schemas.oip import ProtocolError
from app.protocol.types import JSON_MEDIA_TYPE

_ROOT = "/v2"
_OF_BODIES = ("content-length", "content-type")


def is_of_protocol(path: str) -> bool:
    """Tell whether a path, without a proxy's prefix, is one of the protocol."""
    return path == _ROOT or path.startswith(f"{_ROOT}/")


def protocol_error(request: Request, problem: Response) -> Response:
    """Return the answer to a request that failed; a problem as it is, if its path is another.

    A wrong request is a 400, the only status that the protocol names.
    """
    if not is_of_protocol(request.scope["path"].removeprefix(request.scope.get("root_path", ""))):
        return problem
    status = 400 if problem.status_code == 422 else problem.status_code
    headers = {name: text for name, text in problem.headers.items() if name not in _OF_BODIES}
    detail = json.loads(bytes(problem.body))["detail"]
    return JSONResponse({"error": detail}, status, headers)


def error_responses(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return OpenAPI's description of the statuses that are errors of the protocol.

    `complete_document` adds the schema to which it refers.
    """
    content = {JSON_MEDIA_TYPE: {"schema": component(ProtocolError)}}
    return {status: {"content": content} for status in statuses}
