"""Routes whose endpoints get the bare request; FastAPI only documents them."""

from typing import Any

from fastapi import FastAPI, Request
from fastapi.routing import iter_route_contexts
from starlette.types import Receive, Scope, Send

from app.producer.routing.query_parameters import check_query
from app.producer.routing.route_scopes import ScopedRoute, check_scopes
from app.protocol.requests import RequestBody


class RawRoute(ScopedRoute):
    """A route whose endpoint takes the request and nothing else, and no query parameters.

    For other endpoints FastAPI solves dependencies and opens exit stacks. That takes longer than
    the round trip through the broker. `refuse_dependencies` makes sure that none is declared.
    """

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request. Raises `errors.Forbidden`, and `errors.Invalid` for its query."""
        if scope["method"] in (self.methods or ()):
            check_scopes(self, scope)
            check_query(self, scope)
            response = await self.endpoint(Request(scope, receive))
            await response(scope, receive, send)
        else:
            await super().handle(scope, receive, send)  # answers with a 405


def refuse_dependencies(app: FastAPI) -> None:
    """Raise `TypeError` if a raw route has dependencies, because they would never run.

    They may be declared by the route, its endpoint, its router, an `include_router` or `app`.
    """
    for route in iter_route_contexts(app.routes):
        if not isinstance(route.original_route, RawRoute):
            continue
        if route.dependencies or route.dependant.dependencies:
            raise TypeError(
                f"{route.path} is a RawRoute, and FastAPI dependencies do not run there. Remove "
                "them from the route, its endpoint, its router, include_router and the "
                "application; put the check into app/producer/middleware/stack.py, or call it in "
                "the endpoint."
            )


def document_body(*kinds: tuple[str, dict[str, Any]]) -> dict[str, Any]:
    """Return OpenAPI's description of a body from pairs of media type and schema."""
    content = {kind: {"schema": schema} for kind, schema in kinds}
    return {"requestBody": {"required": True, "content": content}}


def body_schema(body: type[RequestBody]) -> dict[str, Any]:
    """Return the schema of a JSON body.

    The schemas that it refers to are among the components, because trainings use them, too.
    """
    schema = body.model_json_schema(ref_template="#/components/schemas/{model}")
    schema.pop("$defs", None)
    return schema
