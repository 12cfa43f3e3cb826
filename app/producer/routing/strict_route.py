"""Routes whose JSON bodies are parsed as strictly as messages, and the documents of problems."""

from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any

from fastapi import Request, Response
from starlette.exceptions import HTTPException
from starlette.types import Receive, Scope, Send

from app import errors
from app.producer.routing.body import call_with_body
from app.producer.routing.query_parameters import check_query
from app.producer.routing.route_scopes import ScopedRoute, check_scopes
from app.producer.schemas.components import component
from app.producer.schemas.responses import Problem
from app.protocol import strict_json
from app.protocol.types import PROBLEM_MEDIA_TYPE

_MAX_VALUES = 30_000  # because FastAPI validates on the event loop, and lists each wrong value


class _StrictRequest(Request):
    """A request whose JSON body is parsed as strictly as a message."""

    async def json(self) -> Any:
        try:
            body = await self.body()
            return await call_with_body(body, partial(strict_json.loads_request, body, _MAX_VALUES))
        except errors.TooLarge as error:
            raise HTTPException(413, error.detail) from None
        except errors.Malformed as error:
            # FastAPI lets no other error through.
            raise HTTPException(422, error.detail) from None


class StrictRoute(ScopedRoute):
    """A route of FastAPI that parses its JSON body strictly, and refuses unknown parameters."""

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request. Raises `errors.Forbidden`, and `errors.Invalid` for its query."""
        check_scopes(self, scope)
        check_query(self, scope)
        await super().handle(scope, receive, send)

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return FastAPI's handler for strict requests."""
        handler = super().get_route_handler()

        async def strict(request: Request) -> Response:
            return await handler(_StrictRequest(request.scope, request.receive))

        return strict


def problem_responses(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return OpenAPI's description of the statuses that are problem documents.

    `complete_document` adds the schema to which it refers.
    """
    content = {PROBLEM_MEDIA_TYPE: {"schema": component(Problem)}}
    return {status: {"content": content} for status in statuses}
